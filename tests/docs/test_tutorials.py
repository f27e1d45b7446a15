"""Each tutorial works as it is written: its commands are run and what it shows is compared.

A `sh` block is run, the `text` block behind it is what it prints (`...` is a line that differs
from run to run); a `yaml` block whose first line is a comment with a file's name is written to
that file; a `diff` is applied. The block that clones the repository is not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import _rust
from tests.conftest import ROOT

TOOLS = {
    "docs/tutorials/python.md": [],
    "docs/tutorials/go.md": ["go"],
    "docs/tutorials/node.md": ["node", "npm"],
    "docs/tutorials/rust.md": ["cargo"],
    "docs/tutorials/c.md": ["make", "cc"],
}
BOUND_S = 600
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INSTALL = """\
git clone https://github.com/withObsrvr/cdp-pipeline-workflow
make -C cdp-pipeline-workflow demo
export PATH="$PWD/cdp-pipeline-workflow/.venv/bin:$PATH"
"""


@dataclass
class Reader:
    """Somebody who does what a page says."""

    folder: Path
    printed: str = ""
    done: list[str] = field(default_factory=list)

    def follow(self, page: str) -> None:
        """Go through the blocks of a page in order."""
        for language, text in BLOCK.findall(page):
            if text != INSTALL:
                getattr(self, f"_{language}")(text)

    def _sh(self, commands: str) -> None:
        """Run the commands; the last one may fail where the page shows that it does."""
        environ = {name: value for name, value in os.environ.items() if name[:4] != "XDG_"}
        environ |= {"XDG_STATE_HOME": str(self.folder / "state")}
        environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=BOUND_S,
        )
        self.printed = ran.stdout
        self.done += commands.splitlines()
        assert ran.returncode in (0, 1), ran.stdout
        assert 0 == ran.returncode or "flowctl test" in self.done[-1], ran.stdout

    def _text(self, expected: str) -> None:
        """Find the lines in what was printed last, in order."""
        pattern = "\n".join(
            ".*" if line == "..." else re.escape(line) for line in expected.splitlines()
        )
        assert re.search(f"^{pattern}$", self.printed, re.MULTILINE), self.printed

    def _yaml(self, text: str) -> None:
        name = text.splitlines()[0].removeprefix("# ")
        (self.folder / name).write_text(text)

    def _diff(self, text: str) -> None:
        subprocess.run(
            ["git", "apply", "-p0", "-"], cwd=self.folder, input=text, text=True, check=True
        )


@pytest.mark.parametrize("page", list(TOOLS), ids=lambda page: Path(page).stem)
def test_it_works_as_written(page: str, tmp_path: Path) -> None:
    """From an empty folder, each command of the page does what the page says it does."""
    missing = [tool for tool in TOOLS[page] if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on PATH")
    if "cargo" in TOOLS[page]:
        _rust.compiler()
    text = (ROOT / page).read_text()
    assert INSTALL in [block for _, block in BLOCK.findall(text)]
    reader = Reader(tmp_path)
    reader.follow(text)
    assert "flowctl run pipeline.yaml" in reader.done
