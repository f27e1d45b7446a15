"""Reload a plugin while a pipeline runs at full load, and time every batch of its stage."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import TracebackType
from typing import Any

from bench.rig import Given, Invalid, payments, run_document
from bench.stamps import VERSIONS, Stamps
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.host.running import Running
from cdp_pipeline.manager.handles import ManagedProcessor, Pinned
from cdp_pipeline.manager.manager import PluginManager
from cdpplugin import (
    Base,
    Delivery,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
)

STAGE = "stamp"
WORKERS = 2
"""Batches with the plugin at once."""
WARM_UP_S = 0.5
_MARKS = {f'"version":"{version}"}}'.encode(): version for version in VERSIONS}
_MARK_BYTES = len(next(iter(_MARKS)))


@dataclass(slots=True)
class Found:
    """What one run showed.

    Attributes:
        latencies_ms: Of each batch, from hand-over to the managed handle until its answer.
        rate: Messages a second at the sink.
        steps_ms: How long each step of each reload took; `call` is all of it, until the old
            version has ended or is kept for the window.
        messages: How many went through; none was lost, none came twice.
    """

    latencies_ms: list[float] = field(default_factory=list)
    rate: float = 0.0
    steps_ms: dict[str, list[float]] = field(default_factory=dict)
    messages: int = 0


class Numbered(Base):
    """Source: the same payments again and again, each message with its number as id.

    Attributes:
        count: How many it has given.
        ended: Set it, and the stream ends.
    """

    def __init__(self) -> None:
        self.count = 0
        self.ended = False
        self._batch = payments()

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("numbered", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="bench", unit="messages")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        while not self.ended:
            numbers = range(self.count, self.count + len(self._batch))
            self.count = numbers.stop
            yield SourceBatch(self._batch.replace(ids=list(map(str, numbers))), numbers)


class Witness(Base):
    """Sink: notes the number of every message, and the versions in the order of their stamps."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.versions: list[str] = []
        self._news = asyncio.Event()

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("witness", "1.0.0", "consumer")

    async def consume(self, delivery: Delivery) -> int:
        batch = delivery.batch
        self.numbers.extend(map(int, batch.ids))
        marks = [payload[-_MARK_BYTES:] for payload in batch.payloads.json()]
        for mark, _ in groupby(marks):
            self._note(mark)
        return delivery.completed_through

    def _note(self, mark: bytes) -> None:
        version = _MARKS.get(mark)
        if version is None:
            raise Invalid(f"expected a message to end with a version, got {mark!r}")
        if not self.versions or self.versions[-1] != version:
            self.versions.append(version)
            self._news.set()

    async def sees(self, version: str) -> None:
        """Wait until a message of *version* is the newest."""
        while not self.versions or self.versions[-1] != version:
            self._news.clear()
            await self._news.wait()

    def check(self, messages: int, versions: list[str]) -> None:
        """Require every message once and in order, and one run of stamps a version.

        Raises:
            Invalid: Something is missing, came twice, or was stamped out of turn.
        """
        if self.numbers != array("q", range(messages)):
            arrived = set(self.numbers)
            lost = messages - len(arrived)
            doubled = len(self.numbers) - len(arrived)
            raise Invalid(f"of {messages} messages {lost} were lost and {doubled} came twice")
        if self.versions != versions:
            raise Invalid(f"expected {len(versions)} runs of stamps, got {len(self.versions)}")


class Timed:
    """A processor for one batch whose time is taken while it is held."""

    def __init__(self, pinned: Pinned, latencies_ms: list[float]) -> None:
        self._pinned = pinned
        self._latencies_ms = latencies_ms

    async def __aenter__(self) -> Pinned:
        self._begun_s = perf_counter()
        return await self._pinned.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pinned.__aexit__(kind, error, trace)
        self._latencies_ms.append((perf_counter() - self._begun_s) * 1e3)


class Load:
    """What is done to the stage while messages flow, and what is noted meanwhile."""

    def __init__(self, stamps: Stamps, reloads: int, still_s: float) -> None:
        self.source, self.witness = Numbered(), Witness()
        self.found = Found()
        self._stamps = stamps
        self._reloads = reloads
        self._still_s = still_s
        self._latencies_ms: list[float] = []
        self._work: asyncio.Task[None] | None = None

    def begin(self, running: Running) -> None:
        """Take times from now on, and begin to reload; called once all plugins run."""
        managed = running.manager.handle(STAGE)
        assert isinstance(managed, ManagedProcessor)
        pinned: Any = managed.pinned
        managed.pinned = lambda: Timed(pinned(), self._latencies_ms)  # type: ignore[assignment,method-assign,return-value]
        self._work = asyncio.create_task(self._worked(running.manager))

    def ended(self) -> Found:
        """Return what was found, once the run has ended.

        Raises:
            Invalid: A reload failed, or the messages at the sink are not what they should be.
        """
        assert self._work is not None
        self._work.result()
        self.witness.check(self.source.count, [_version(n) for n in range(self._reloads + 1)])
        self.found.messages = self.source.count
        return self.found

    async def _worked(self, manager: PluginManager) -> None:
        try:
            await asyncio.sleep(WARM_UP_S)
            self._latencies_ms.clear()
            begun_s, before = perf_counter(), len(self.witness.numbers)
            for number in range(1, self._reloads + 1):
                await self._reload(manager, _version(number))
            if not self._reloads:
                await asyncio.sleep(self._still_s)
            elapsed_s = perf_counter() - begun_s
            self.found.rate = (len(self.witness.numbers) - before) / elapsed_s
            self.found.latencies_ms = list(self._latencies_ms)
        finally:
            self.source.ended = True

    async def _reload(self, manager: PluginManager, version: str) -> None:
        self._stamps.put(version)
        begun_s = perf_counter()
        [report] = await manager.reload(STAGE)
        if report.outcome != "switched":
            raise Invalid(f"a reload was {report.outcome}: {report.error}")
        steps_s = {**report.timings_s, "call": perf_counter() - begun_s}
        for step, took_s in steps_s.items():
            self.found.steps_ms.setdefault(step, []).append(took_s * 1e3)
        await self.witness.sees(version)


def reloaded(stamps: Stamps, *, reloads: int, window_s: float, still_s: float) -> Found:
    """Run a pipeline at full load, and reload its plugin one time after the other.

    Args:
        stamps: The plugin.
        reloads: How often; each begins when messages of the version before arrive.
        window_s: How long the old version is kept beside the new one.
        still_s: Where there is no reload, how long it runs.

    Raises:
        Invalid: A message was lost, came twice, or was stamped out of turn.
    """
    load = Load(stamps, reloads, still_s)
    stamps.put(_version(0))
    document = {
        "source": {"type": "source"},
        "pipeline": [{"plugin": STAGE, "workers": WORKERS}, {"type": "sink"}],
        "plugins": [{"name": STAGE, "path": str(stamps.folder)}],
    }
    with TemporaryDirectory(prefix="cdp-bench-") as folder:
        run_document(
            document,
            Path(folder),
            Given({"source": load.source, "sink": load.witness}),
            settings=HostSettings(hot_reload=False, reload_window=window_s),
            on_started=load.begin,
        )
    return load.ended()


def _version(number: int) -> str:
    return VERSIONS[number % len(VERSIONS)]
