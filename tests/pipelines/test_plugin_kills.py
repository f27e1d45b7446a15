"""A plugin process is killed again and again while the pipeline runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests._workshop import Workshop
from tests.grpc.conftest import is_alive
from tests.pipelines._live import PROCESS, Live

KILLS = 50


def plugin_processes(folder: Path) -> list[int]:
    """The processes that run the plugin in *folder*, their keepers left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            is_there = Path(os.readlink(path / "cwd")) == folder
        except OSError:
            continue
        if is_there and b"keeper.py" not in command and is_alive(int(path.name)):
            found.append(int(path.name))
    return found


def test_fifty_kills(workshop: Workshop) -> None:
    """Nothing is lost and nothing doubled at an exactly-once consumer; the stream goes on."""
    folder = workshop.folder / "stamp"
    folder.mkdir()
    (folder / "stamp.py").write_text(PROCESS)
    (folder / "plugin.yaml").write_text("name: stamp\nversion: 1.0.0\nexecutable: stamp.py\n")
    settings = "max_restarts: 1000\nrestart_window: 1s\nhot_reload: false\n"
    live = Live(workshop, "stamp", settings)
    killed: set[int] = set()
    with live.running():
        live.flows()
        while len(killed) < KILLS:  # rows that are under way flow on without it
            for pid in plugin_processes(folder):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            live.flows()
    assert [("1.0.0", "red")] == live.runs()
