"""A folder to run pipelines in, and a copy of the real lake that may be damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests._workshop import Lake, Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty folder to work in."""
    return Workshop(tmp_path)


@pytest.fixture
def real_lake(test_data: Path) -> Lake:
    """The real ledgers, one a file: to be read only."""
    return Lake(test_data / "lake_1x64000" / "ledgers" / "pubnet")


@pytest.fixture
def lake(real_lake: Lake, tmp_path: Path) -> Lake:
    """A copy of the real lake that a test may damage."""
    folder = tmp_path / "lake"
    shutil.copytree(real_lake.folder, folder, copy_function=shutil.copyfile)
    return Lake(folder)
