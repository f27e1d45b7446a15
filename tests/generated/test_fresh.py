"""What is generated from a definition is as its generator would make it now."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT


def test_generated_files_are_fresh() -> None:
    """`make proto` would change nothing: stubs, schemas, reference pages, the XDR table."""
    command = [sys.executable, "scripts/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr
