"""The SDKs of other languages pass their own tests, run by their own runners."""

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
def test_go(folder: str) -> None:
    """`go vet` and `go test` pass."""
    require("go")
    run(["go", "vet", "./..."], ROOT / folder)
    run(["go", "test", "./..."], ROOT / folder)


@pytest.mark.parametrize("folder", NODE)
def test_node(folder: str) -> None:
    """`npm test` passes after a clean install."""
    require("npm")
    build = ["npm", "run", "setup"] if folder.endswith("enrich-node") else ["npm", "ci"]
    run(build, ROOT / folder)
    run(["npm", "test"], ROOT / folder)
