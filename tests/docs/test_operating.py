"""The guide on operating a pipeline does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from cdp_pipeline.admin import Listen
from cdp_pipeline.cli.main import app
from tests._flowctl import BOUND_S
from tests._host import running_host
from tests.conftest import ROOT

PAGE = ROOT / "docs/guides/operating.md"
GUIDE = PAGE.read_text()
UNIX, TCP = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(
    ("script", "listen"), [(UNIX, Listen("unix")), (TCP, Listen("tcp", "127.0.0.1", 0))]
)
def test_its_examples_with_curl_work(tmp_path: Path, script: str, listen: Listen) -> None:
    """Every line of both blocks gets an answer from a running host."""
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    with running_host(tmp_path, listen=listen) as host:
        host.call(lambda: host.manager.events.note("stage-0", "enrich@1.2.0", "state", "runs"))
        done = subprocess.run(
            ["/bin/sh", "-euc", script],
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )

    assert (0, "") == (done.returncode, done.stderr)
    assert '"pipeline":"numbers"' in done.stdout


def test_its_commands_exist() -> None:
    """Each `flowctl` line in a block names a command that there is."""
    blocks = "".join(re.findall(r"```\n(.*?)```", GUIDE, re.DOTALL))
    lines = re.findall(r"^flowctl (.*?)(?: +#.*)?$", blocks, re.MULTILINE)

    assert len(lines) > 5
    for line in lines:
        command, words = typer.main.get_command(app), line.split()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]


def test_every_link_leads_somewhere() -> None:
    """Relative links name files that exist."""
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (PAGE.parent / target).exists(), target
