"""The guide to developing plugins shows what is true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests._flowctl import BOUND_S, COMMAND, running, wait_until
from tests.conftest import ROOT

GUIDE = (ROOT / "docs/guides/developing-plugins.md").read_text()
RUN, PIPE, LEDGERS, DEV = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
OUTPUT, SAID, ROUND = re.findall(
    r"```\n((?!\n).*?)```", re.sub(r"```\w.*?```", "", GUIDE, flags=re.DOTALL), re.DOTALL
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The plugin and the messages that it shows."""
    for kind, name in (("python", "fees.py"), ("json", "payments.jsonl")):
        [text] = re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)
        (tmp_path / name).write_text(text)
    return tmp_path


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(COMMAND).parent), os.environ["PATH"]])
    return subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def test_run(folder: Path) -> None:
    """The first command prints what is shown, on both streams."""
    done = shell(RUN, folder)
    assert (1, OUTPUT, SAID) == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("script", [PIPE, LEDGERS])
def test_its_other_commands(folder: Path, script: str) -> None:
    """Each gives a message and exit code 0."""
    done = shell(script, folder)
    assert (0, 1) == (done.returncode, done.stdout.count('"payload":')), done.stderr


def test_dev(folder: Path) -> None:
    """A save shows the round that is shown, but for its time."""
    log = folder / "log"
    with (
        log.open("wb") as out,
        running(*DEV.split()[1:], cwd=folder, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        wait_until(lambda: "Ctrl-C ends" in log.read_text(), "the first round")
        code = (folder / "fees.py").read_text()
        (folder / ".draft").write_text(code.replace("RATE = 2", "RATE = 3"))
        (folder / ".draft").replace(folder / "fees.py")
        wait_until(lambda: ROUND.splitlines()[-1] in log.read_text(), "the second round")
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(BOUND_S)
    assert timeless(ROUND) in timeless(log.read_text())


def timeless(text: str) -> str:
    return re.sub(r"\d+\.\d\d s", "0.00 s", text)
