"""The SDKs of other languages pass their own tests, run by their own runners.

Each runs in a copy of what it is made of: other tests build the same folders, and a package
manager that installs anew takes away what another has just put there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

BOUND_S = 600
GO = ["sdk/go", "examples/plugins/enrich-go", "examples/plugins/ledger-summary"]
NODE = ["sdk/node", "examples/plugins/enrich-node", "examples/plugins/notifier"]


NOT_SOURCES = shutil.ignore_patterns("node_modules", "dist", "bin", "__pycache__")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the SDKs, the contract and its vectors."""
    for name in ("proto", "spec", "sdk/go", "sdk/node"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=NOT_SOURCES)
    return tmp_path


def copied(folder: str, checkout: Path) -> Path:
    """Return the copy of *folder*, made unless it is there."""
    if not (checkout / folder).exists():
        shutil.copytree(ROOT / folder, checkout / folder, ignore=NOT_SOURCES)
    return checkout / folder


def require(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} on PATH")


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
        env=os.environ | {"GOFLAGS": "-mod=mod"},
    )
    assert 0 == done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.parametrize("folder", GO)
def test_go(folder: str, checkout: Path) -> None:
    """`go vet` and `go test` pass."""
    require("go")
    run(["go", "vet", "./..."], copied(folder, checkout))
    run(["go", "test", "./..."], copied(folder, checkout))


@pytest.mark.parametrize("folder", NODE)
def test_node(folder: str, checkout: Path) -> None:
    """`npm test` passes after a clean install."""
    require("npm")
    build = ["npm", "run", "setup"] if folder.endswith("enrich-node") else ["npm", "ci"]
    run(build, copied(folder, checkout))
    run(["npm", "test"], copied(folder, checkout))
