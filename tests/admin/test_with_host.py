"""The API of a real run: its plugins are those of the manager, its reloads happen."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from cdp_pipeline.admin import serving
from cdp_pipeline.config import load_pipeline
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.host.running import Running, RunResult, run_pipeline
from cdp_pipeline.observability.logs import configure_logs
from tests._flowctl import Finished, flowctl

NUMBERS = """
import asyncio
from cdpplugin import Base, Batch, PluginMetadata, SourceBatch, SourceDescription

class Numbers(Base):
    def metadata(self):
        return PluginMetadata("numbers", "1.0.0", "source", output_types=("Number",))
    async def describe(self):
        return SourceDescription(identity="numbers")
    async def read(self, after):
        number = after.position if after else 0
        while True:
            number += 1
            yield SourceBatch(Batch.of("Number", [{"n": number}]), [number])
            await asyncio.sleep(0.002)
"""
STAMP = """
from cdpplugin import processor

@processor("restamp", "VERSION", input_types=["Number"], output_types=["Number"])
def stamp(message):
    message.payload["version"] = "VERSION"
    return message
"""


class Run:
    """A pipeline of plugin files, run in this process with its API.

    Its plugins and stages have names of their own: the newest log lines are kept by name, for all
    pipelines of a process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "numbers.py").write_text(NUMBERS)
        self.stamp("1.0.0")
        (folder / "pipeline.yaml").write_text(
            json.dumps(
                {
                    "name": "stamped",
                    "plugins": [
                        {"name": "numbers", "path": "numbers.py"},
                        {"name": "restamp", "path": "stamp.py"},
                    ],
                    "source": {"plugin": "numbers"},
                    "pipeline": [
                        {"plugin": "restamp", "name": "stamping"},
                        {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
                    ],
                }
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def stamp(self, version: str, text: str = STAMP) -> None:
        (self.folder / "stamp.py").write_text(text.replace("VERSION", version))

    async def run(self, work: Any) -> RunResult:
        """Run the pipeline while *work* goes on, which is to drain it."""
        ready = asyncio.Event()
        over = asyncio.Event()

        async def serve(running: Running) -> None:
            async with serving(running, running.folder, os.environ):
                ready.set()
                await over.wait()

        def started(running: Running) -> None:
            self._serving = asyncio.create_task(serve(running))

        config = load_pipeline(self.folder / "pipeline.yaml", os.environ)
        running = asyncio.create_task(
            run_pipeline(
                config,
                os.environ,
                settings=HostSettings(hot_reload=False, reload_window=0.0),
                on_started=started,
            )
        )
        first, _ = await asyncio.wait(
            [running, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        assert running not in first, await running
        try:
            await work()
            return await running
        finally:
            over.set()
            assert self._serving is not None
            await self._serving

    def written(self) -> list[dict[str, Any]]:
        lines = (self.folder / "out.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


async def command(*arguments: str) -> Finished:
    """Run `flowctl` while this loop goes on."""
    return await asyncio.to_thread(flowctl, *arguments)


async def test_a_live_plugin_is_reloaded_and_the_run_drained(tmp_path: Path) -> None:
    """List, reload, logs, status and drain of a real run; each row is stamped by one version."""
    configure_logs()
    run = Run(tmp_path)

    async def work() -> None:
        listed = json.loads((await command("plugin", "list", "-o", "json")).out)
        assert ["numbers@1.0.0", "restamp@1.0.0"] == [
            plugin["reference"] for plugin in listed["plugins"][:2]
        ]
        run.stamp("1.1.0")
        reloaded = await command("plugin", "reload", "restamp")
        assert 0 == reloaded.code, reloaded.out + reloaded.err
        assert "stamping: switched from restamp@1.0.0 to restamp@1.1.0" in reloaded.out

        run.stamp("1.2.0", "raise RuntimeError('broken')")
        broken = await command("plugin", "reload", "stamping")
        assert 4 == broken.code
        assert "error[plugin.load_failed]" in broken.out
        assert "restamp@1.1.0 goes on" in broken.out

        status = json.loads((await command("status", "-o", "json")).out)
        assert ("stamped", "running") == (status["pipeline"], status["state"])
        assert 1 == status["plugins"][1]["reloads"]
        logs = await command("plugin", "logs", "stamping")
        assert "the new version works" in logs.out
        assert 0 == (await command("pipeline", "drain")).code

    result = await run.run(work)
    rows = run.written()
    versions = [row["version"] for row in rows]

    assert ("stopped", 0) == (result.ending, result.exit_code)
    assert list(range(1, len(rows) + 1)) == [row["n"] for row in rows]
    assert sorted(versions) == versions
    assert {"1.0.0", "1.1.0"} == set(versions)
