"""The built site, made once for all tests that look at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests._flowctl import BOUND_S
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the site as `make docs` builds it, warnings being errors."""
    target = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", "docs", "-d", str(target / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, ".", str(target / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3 * BOUND_S,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return target / "html"
