"""docs/first-pipeline.md and docs/index.md: what the first pages show works as printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests._flowctl import BOUND_S, flowctl
from tests.conftest import ROOT
from tests.docs._pages import blocks

INSTALL, RUN, QUICKSTART, PUBNET = blocks("first-pipeline.md")
PIPELINE, PLUGIN = blocks("index.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone as far as it is read, with its own lake and output."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def test_the_commands_give_rows(folder: Path) -> None:
    """From the lake to the second run each command ends with 0, and the rows are there."""
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    places = {"CDP_LAKE": "lake", "OUT": "out/quickstart"}
    done = subprocess.run(
        ["/bin/sh", "-euc", RUN.text],
        cwd=folder,
        env={**os.environ, **environ, **places},
        capture_output=True,
        text=True,
        timeout=2 * BOUND_S,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert "operations" in done.stdout
    assert "completed" in done.stderr
    assert "already" in done.stderr


def test_they_are_ten_and_install_as_make_does() -> None:
    """The page keeps its word, and the line that installs is the one that `make` uses."""
    lines = [*INSTALL.text.splitlines(), *RUN.text.splitlines()]
    line = next(line for line in lines if line.startswith("pip install"))

    assert 10 == len(lines)
    assert line.removeprefix("pip install ") in (ROOT / "Makefile").read_text()


def test_the_pipeline_shown_is_the_example() -> None:
    """The page shows the example to the letter, but for its comments."""
    lines = (ROOT / "examples/pipelines/quickstart.yaml").read_text().splitlines()
    shown = [line for line in QUICKSTART.text.splitlines() if not line.startswith("#")]

    assert [line for line in lines if not line.startswith("#")] == shown


def test_the_landing_page_works(tmp_path: Path) -> None:
    """The pipeline runs with the plugin, both as printed; each fits into ten lines or so."""
    assert 0 == flowctl("lake", "generate", "--ledgers", "20", "--out", "lake", cwd=tmp_path).code
    for block in (PIPELINE, PLUGIN):
        (tmp_path / block.file).write_text(block.text)
        assert 12 > len(block.text.splitlines())
    done = flowctl("run", "pipeline.yaml", cwd=tmp_path)

    assert 0 == done.code, done.err
    assert "large-payments" in done.err
