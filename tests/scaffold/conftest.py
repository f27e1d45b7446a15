"""What the tests of made pipelines share: a checker that answers as `flowctl validate` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cdp_pipeline.errors import CdpError
from cdp_pipeline.host.file_check import check_file

Faults = Callable[..., list[CdpError]]


@pytest.fixture
def faults_of_text(tmp_path: Path) -> Faults:
    """Return what is wrong with a pipeline's text."""

    def check(text: str, environ: Mapping[str, str] = {}) -> list[CdpError]:
        file = tmp_path / "checked.yaml"
        file.write_text(text)
        return check_file(file, {"HOME": str(tmp_path), **environ}).faults

    return check
