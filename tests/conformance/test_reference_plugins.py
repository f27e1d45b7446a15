"""The reference plugins of every SDK keep every rule, in every runtime that can run them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_pipeline.testing.launchers import Launchers, ManifestTarget, Target, target_of
from cdpplugin import testing

from .conftest import PLUGINS

BOUND_S = 20.0
MANIFESTS = {"processor": "plugin.yaml", "source": "source.yaml", "consumer": "consumer.yaml"}
CLASSES = {
    "processor": "ReferenceProcessor",
    "source": "ReferenceSource",
    "consumer": "ReferenceConsumer",
}
TOOLS = {"native": [], "python": [], "go": ["go"], "node": ["node", "npm"]}
KINDS = list(MANIFESTS)
MAY_SKIP = {"processor": ["metadata.output_schemas"], "source": [], "consumer": []}
"""What cannot be tried on a reference plugin: the processor names no output types."""


def target(language: str, kind: str) -> Target:
    """Return the reference plugin of *kind* in *language*."""
    if language == "native":
        return target_of(f"{PLUGINS / 'reference-python' / 'plugin.py'}:{CLASSES[kind]}")
    return target_of(str(PLUGINS / f"reference-{language}" / MANIFESTS[kind]))


@pytest.fixture(scope="module", params=list(TOOLS))
def language(request: pytest.FixtureRequest) -> str:
    """Each language whose tools are there, and Python natively."""
    missing = [tool for tool in TOOLS[request.param] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on PATH")
    return str(request.param)


@pytest.fixture(scope="module")
def reports(
    language: str, environ: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, testing.Report]:
    """What the suite says of the reference plugins of a language, tried side by side."""
    launchers = Launchers(environ, tmp_path_factory.mktemp("cache"), grants=True)

    async def each() -> list[testing.Report]:
        targets = [target(language, kind) for kind in KINDS]
        await prepare(targets[0], launchers)
        subjects = [await launchers.subject(each) for each in targets]
        return await asyncio.gather(
            *(testing.run(replace(subject, bound_s=BOUND_S)) for subject in subjects)
        )

    return dict(zip(KINDS, asyncio.run(each()), strict=True))


async def prepare(first: Target, launchers: Launchers) -> None:
    """Install what a plugin in JavaScript needs, where that was not done yet."""
    if isinstance(first, ManifestTarget) and (first.manifest.folder / "package.json").is_file():
        installed: Path = first.manifest.folder / "node_modules" / "cdpplugin" / "dist"
        if not installed.is_dir():
            await launchers.builder.build(first.manifest)


@pytest.mark.parametrize("kind", KINDS)
def test_it_keeps_every_rule(kind: str, reports: Mapping[str, testing.Report]) -> None:
    """No case fails, and each is about the plugin that was meant."""
    report = reports[kind]
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
    assert (f"cdp-reference-{kind}@1.0.0", kind) == (report.plugin, report.kind)
    assert report.conforms


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_is_tried(kind: str, reports: Mapping[str, testing.Report]) -> None:
    """A reference plugin leaves no case out but those that cannot hold for it."""
    report = reports[kind]
    assert MAY_SKIP[kind] == [each.case for each in report.of("skipped")]
    expected = [each.name for each in testing.all_cases() if kind in each.kinds]
    assert expected == [each.case for each in report.results]
