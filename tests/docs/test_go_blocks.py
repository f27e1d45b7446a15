"""Go code in docs/guides compiles: all of it in one module, vetted once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests._flowctl import BOUND_S
from tests.conftest import ROOT
from tests.docs._pages import blocks, pages


def test_go_code_is_vetted(tmp_path: Path) -> None:
    """`go vet` finds nothing in any file; each block that begins with `package` is one."""
    if shutil.which("go") is None:
        pytest.skip("no go on PATH")
    example = ROOT / "examples/plugins/enrich-go"
    module = (example / "go.mod").read_text().replace("../../../sdk/go", str(ROOT / "sdk/go"))
    (tmp_path / "go.mod").write_text(module)
    shutil.copy(example / "go.sum", tmp_path)
    guides = [page for page in pages() if page.startswith("guides/")]
    shown = [block for page in guides for block in blocks(page) if block.language == "go"]
    files = [block for block in shown if block.text.startswith("package ")]
    for number, block in enumerate(files):
        package = tmp_path / f"block{number}"
        package.mkdir()
        (package / "main.go").write_text(f"//line {block}\n{block.text}")
    done = subprocess.run(
        ["go", "vet", "./..."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=4 * BOUND_S,
        check=False,
    )

    assert files
    assert (0, "") == (done.returncode, done.stderr)
