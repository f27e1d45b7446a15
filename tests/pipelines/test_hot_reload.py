"""Plugins are replaced under a running `flowctl run`: by files, by configuration, by command."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests._flowctl import Finished, finish, flowctl, start, wait_until
from tests._workshop import Workshop

NATIVE = '''
import cdpplugin

VERSION = "1.0.0"

@cdpplugin.processor("stamp", VERSION)
def stamp(message):
    """Stamp a message with this version and the configured colour."""
    message.payload["version"] = VERSION
    message.payload["colour"] = stamp.config.get("colour", "")
    return message
'''
PROCESS = NATIVE + "\n\ncdpplugin.serve(stamp)\n"


class Live:
    """A pipeline that follows a file which grows until it is told to end."""

    def __init__(self, workshop: Workshop, path: str, settings: str = "") -> None:
        self.folder = workshop.folder
        self.workshop = workshop
        self.path = path
        self.count = 0
        self._ended = threading.Event()
        (self.folder / "in.jsonl").touch()
        (self.folder / "flowctl.yaml").write_text(f"reload_debounce: 50ms\n{settings}")
        self.file = self.configure("red")

    def configure(self, colour: str) -> Path:
        """Write the pipeline file."""
        source = {"path": "in.jsonl", "follow": True, "poll_interval": "5ms"}
        return self.workshop.write(
            "live",
            plugins=[{"name": "stamp", "path": self.path}],
            source={"type": "jsonl", "config": source},
            batch={"rows": 20},
            pipeline=[
                {"plugin": "stamp", "name": "stage", "workers": 2, "config": {"colour": colour}},
                {"type": "save-to-jsonl", "config": {"path": "out"}},
            ],
        )

    @contextmanager
    def running(self) -> Iterator[Any]:
        """The run, rows flowing; afterwards it has been drained, and ended well."""
        feeding = threading.Thread(target=self._feed)
        feeding.start()
        process = start("run", self.file, cwd=self.folder)
        try:
            yield process
            self._ended.set()
            feeding.join()
            drained = self.command("pipeline", "drain")
            assert 0 == drained.code, drained.err
            done = finish(process)
            assert 0 == done.code, done.err
            self.err = done.err
        finally:
            self._ended.set()
            feeding.join()
            process.kill()
            process.wait()

    def _feed(self) -> None:
        with (self.folder / "in.jsonl").open("a") as lines:
            while not self._ended.wait(0.01):
                text = "".join(json.dumps({"n": self.count + row}) + "\n" for row in range(20))
                lines.write(text)
                lines.flush()
                self.count += 20

    def command(self, *arguments: str) -> Finished:
        """A command for the running host."""
        return flowctl(*arguments, cwd=self.folder)

    def plugin(self) -> Any:
        """What `plugin list` says of the stage; None before the host can be asked."""
        done = self.command("plugin", "list", "--output", "json", "--pipeline", "live")
        if done.code:
            return None
        found = json.loads(done.out)
        plugins = found["plugins"] if isinstance(found, dict) else found
        return next((p for p in plugins if p.get("name") == "stage"), None)

    def until(self, **facts: Any) -> Any:
        """Wait until the plugin is so."""

        def holds() -> Any:
            plugin = self.plugin()
            return plugin if plugin and facts.items() <= plugin.items() else None

        return wait_until(holds, str(facts))

    def flows(self) -> None:
        """Wait until the plugin has been handed more rows."""
        before = self.until(state="running")["rows"]
        wait_until(lambda: self.plugin()["rows"] > before + 20, "rows")

    def runs(self) -> list[tuple[str, str]]:
        """Which versions and colours the rows have, each once; every row is there, in order."""
        rows = [
            json.loads(line)
            for file in sorted((self.folder / "out").glob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        rows = [row.get("payload", row) for row in rows]
        assert [row["n"] for row in rows] == list(range(len(rows)))
        assert len(rows) == self.count
        return [key for key, _ in groupby((row["version"], row["colour"]) for row in rows)]


@pytest.fixture(params=["native", "grpc"])
def live(request: pytest.FixtureRequest, workshop: Workshop) -> Live:
    """A live pipeline whose plugin is a file in the host's process, or a process of its own."""
    if request.param == "native":
        (workshop.folder / "stamp.py").write_text(NATIVE)
        return Live(workshop, "stamp.py")
    folder = workshop.folder / "stamp"
    folder.mkdir()
    (folder / "stamp.py").write_text(PROCESS)
    (folder / "plugin.yaml").write_text("name: stamp\nversion: 1.0.0\nexecutable: stamp.py\n")
    return Live(workshop, "stamp")


def change(live: Live, version: str) -> None:
    """Put a version into the place of the present one, as an editor or a copy does."""
    folder = live.folder if live.path.endswith(".py") else live.folder / live.path
    text = (folder / "stamp.py").read_text()
    (folder / "stamp.py").write_text(text.replace('"1.0.0"', f'"{version}"'))
    if (folder / "plugin.yaml").exists():
        (folder / "plugin.yaml").write_text(
            f"name: stamp\nversion: {version}\nexecutable: stamp.py\n"
        )


def test_by_every_trigger(live: Live) -> None:
    """Changed files, changed configuration and a command: each takes over, no row is lost."""
    with live.running():
        live.flows()
        change(live, "1.0.1")
        live.until(reference="stamp@1.0.1", reloads=1)
        live.flows()
        live.configure("blue")
        live.until(reloads=2)
        live.flows()
        reloaded = live.command("plugin", "reload", "stamp")
        assert 0 == reloaded.code, reloaded.err
        assert "stamp@1.0.1" in reloaded.out
        live.until(reloads=3)
        live.flows()
    assert [("1.0.0", "red"), ("1.0.1", "red"), ("1.0.1", "blue")] == live.runs()


def test_what_fails(live: Live) -> None:
    """A version that cannot be loaded, and a pipeline file with faults, change nothing."""
    with live.running():
        live.flows()
        folder = live.folder if live.path.endswith(".py") else live.folder / live.path
        good, file = (folder / "stamp.py").read_text(), live.file.read_text()
        (folder / "stamp.py").write_text("raise SystemExit('broken')\n")
        reloaded = live.command("plugin", "reload", "stage", "--output", "json")
        assert 4 == reloaded.code
        (folder / "stamp.py").write_text(good)
        live.file.write_text("name: [")
        refused = live.command("plugin", "reload", "stage")
        assert 4 == refused.code
        live.file.write_text(file)
        live.flows()
        assert "stamp@1.0.0" == live.until(state="running")["reference"]
    assert [("1.0.0", "red")] == live.runs()
