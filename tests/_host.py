"""A host as the admin API sees one: a real engine at work, its plugins' facts, its state folder.

It runs in a thread of the test's process, which is what its record in the state folder says.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdp_pipeline.admin import Listen, serving
from cdp_pipeline.admin.endpoint import Endpoint
from cdp_pipeline.config.paths import state_folder
from cdp_pipeline.engine.pipeline import Pipeline
from cdp_pipeline.engine.statistics import RunStatistics
from cdp_pipeline.errors import UsageError
from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.recording import Recorded, Recording
from cdp_pipeline.manager.status import PluginStatus, ReloadReport
from cdp_pipeline.testing import MemoryConsumer, ScriptedProcessor
from cdpplugin import Base, Batch, Outputs, PluginMetadata, Resume, SourceBatch, SourceDescription
from tests._flowctl import BOUND_S
from tests.engine.conftest import Bench

UNIX = Listen("unix")
SOURCE = PluginStatus(
    name="source",
    plugin="numbers",
    reference="numbers@1.0.0",
    kind="source",
    runtime="native",
    state="running",
    health="healthy",
)
ENRICH = PluginStatus(
    name="stage-0",
    plugin="enrich",
    reference="enrich@1.2.0",
    kind="processor",
    runtime="grpc",
    state="running",
    since="2026-01-01T00:00:00.000+00:00",
    health="healthy",
    confinement={"memory": "cgroup v2", "network": "not confined"},
    calls=7,
    rows=70_000,
    failed_rows=3,
    reloads=2,
)
SWITCHED = ReloadReport(
    plugin="stage-0",
    before="enrich@1.2.0",
    after="enrich@1.3.0",
    timings_s={"load": 0.01, "start": 0.4, "total": 0.41},
)
ROLLED_BACK = replace(
    SWITCHED,
    outcome="rolled_back",
    step="health",
    code="plugin.unhealthy",
    error="it says: no model\x1b[2J",
    hint="look at its log",
)


class Numbers(Base):
    """A source without end: one row a batch, position after position."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("numbers", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="numbers")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        number = 0
        while True:
            number += 1
            yield SourceBatch(Batch.of("Number", [{"n": number}]), [number])
            await asyncio.sleep(0.002)

    async def acknowledge(self, completed_through: int) -> None:
        pass


class Plugins:
    """The facts of plugins, as a test sets them, and reports for reloads."""

    def __init__(self) -> None:
        self.events = EventLog()
        self.found = [SOURCE, ENRICH]
        self.reports: list[ReloadReport] = [SWITCHED]
        self.reloads: list[tuple[str, str]] = []
        self.fault: Exception | None = None
        self.hangs = False

    def statuses(self) -> Sequence[PluginStatus]:
        if self.fault:
            raise self.fault
        return self.found

    def named(self, name: str) -> Sequence[str]:
        stages = [status.name for status in self.found if name in (status.name, status.plugin)]
        if not stages:
            raise UsageError(
                f"no plugin `{name}` runs", code="plugin.unknown", hint="did you mean `enrich`?"
            )
        return stages

    @contextmanager
    def recording(self, name: str, count: int) -> Iterator[Recording]:
        self.named(name)
        recording = Recording(count)
        batch = Batch.of("Number", [{"n": n} for n in range(count)])
        recording.answered(batch, Outputs.each(batch))
        yield recording

    def recorded(self, name: str, recording: Recording) -> Recorded:
        return Recorded(
            stage=self.named(name)[0],
            reference=ENRICH.reference,
            kind=ENRICH.kind,
            is_stateful=False,
            cases=recording.cases,
            masked=0,
            left_out=recording.left_out,
            origin={"plugin": {}, "type": "enrich", "config": {}},
        )

    async def reload(self, name: str, *, reason: str = "command") -> Sequence[ReloadReport]:
        self.reloads.append((name, reason))
        if self.hangs:
            await asyncio.Event().wait()
        self.events.note("stage-0", "enrich@1.3.0", "reload_switched", "switched", total_s=0.41)
        return self.reports


@dataclass
class Host:
    """A run in progress.

    Attributes:
        endpoint: Where it is asked; None where it is not.
        folder: Its state folder.
        loop: The loop it runs in.
    """

    name: str
    pipeline: Pipeline
    statistics: RunStatistics
    manager: Plugins
    folder: Path
    endpoint: Endpoint | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def call(self, work: Callable[[], Any]) -> Any:
        """Do *work* in the host's thread and return its answer."""

        async def done() -> Any:
            return work()

        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(BOUND_S)


@contextmanager
def running_host(
    tmp_path: Path,
    name: str = "numbers",
    listen: Listen = UNIX,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Iterator[Host]:
    """A host that runs inside the block; a run that was drained may end before."""
    state = folder or state_folder(name, environ)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    bench = Bench(tmp_path)
    pipeline = bench.pipeline(Numbers(), ScriptedProcessor(lambda batch: batch), MemoryConsumer())
    bench.statistics.source = SOURCE.name
    host = Host(name, pipeline, bench.statistics, Plugins(), state)
    serves = threading.Event()
    faults: list[BaseException] = []

    async def run() -> None:
        host.loop = asyncio.get_running_loop()
        async with serving(host, state, environ, listen) as host.endpoint:
            serves.set()
            await pipeline.run()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as fault:
            faults.append(fault)
        finally:
            serves.set()

    thread = threading.Thread(target=work, name=f"host {name}")
    thread.start()
    try:
        assert serves.wait(BOUND_S)
        assert not faults
        yield host
    finally:
        if thread.is_alive() and host.loop is not None:
            host.loop.call_soon_threadsafe(pipeline.stop)
        thread.join(BOUND_S)
    assert not thread.is_alive()
    assert not faults, faults
