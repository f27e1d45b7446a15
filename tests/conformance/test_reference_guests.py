"""The reference processors of every SDK that makes WebAssembly keep every rule, as guests.

That in JavaScript is tried in `tests/sdks/test_components.py`, in a copy: its build installs, which
takes away for a while what the same folder's process needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cdp_pipeline.testing.launchers import Launchers, target_of
from cdpplugin import testing
from tests._rust import compiler

from .conftest import PLUGINS

NO_OUTPUT_TYPES = "metadata.output_schemas"
NO_FILES = "reference.context.life_once"
MAY_SKIP: Mapping[str, list[str]] = {
    "reference-go/wasm.yaml": [NO_OUTPUT_TYPES],
    "reference-rust/plugin.yaml": [NO_OUTPUT_TYPES, NO_FILES],
    "reference-c/plugin.yaml": [NO_OUTPUT_TYPES, NO_FILES],
    "reference-python/wasm.yaml": [NO_OUTPUT_TYPES, NO_FILES],
}
"""What cannot be tried on a guest: it names no output types, or has no files to keep a diary in."""


def require(*tools: str) -> Callable[[], object]:
    def check() -> None:
        missing = [tool for tool in tools if shutil.which(tool) is None]
        if missing:
            pytest.skip(f"no {' and no '.join(missing)} on PATH")

    return check


NEEDS: Mapping[str, Callable[[], object]] = {
    "reference-go": require("go"),
    "reference-rust": compiler,
    "reference-c": require(),
    "reference-python": require(),
}


@pytest.mark.parametrize("manifest", MAY_SKIP)
async def test_it_keeps_every_rule(
    manifest: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    """No case fails, and none is left out but those that cannot hold for a guest."""
    NEEDS[manifest.partition("/")[0]]()
    launchers = Launchers(environ, tmp_path, grants=True)
    subject = await launchers.subject(target_of(str(PLUGINS / manifest)))
    report = await testing.run(subject)
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
    assert "cdp-reference-processor@1.0.0" == report.plugin
    assert MAY_SKIP[manifest] == [each.case for each in report.of("skipped")]
