"""A `flowctl run` that follows a growing file, and a plugin that stamps what passes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from cdp_pipeline.admin.client import Client
from cdp_pipeline.admin.discovery import find_host
from cdp_pipeline.errors import CdpError
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
            wait_until(lambda: self.asked("/status")["rows_read"] == self.count, "all rows")
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
        """How the stage's plugin is; None before the host can be asked."""
        try:
            return self.asked("/plugins/stage")["plugins"][0]
        except CdpError:
            return None

    def asked(self, path: str) -> Any:
        """What the running host answers."""
        with Client(find_host(os.environ, "live")) as client:
            return client.get(path)

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
