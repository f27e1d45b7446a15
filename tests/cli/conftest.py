"""A folder to run commands in."""

from __future__ import annotations

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
