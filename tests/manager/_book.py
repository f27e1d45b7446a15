"""Plugins whose every instance is on record: launched, asked, stopped; and their bad versions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from cdp_pipeline.manager.instance import Candidate
from cdp_pipeline.runtimes import native
from cdp_pipeline.runtimes.lost import PluginLost
from cdpplugin import (
    Base,
    Batch,
    Context,
    Delivery,
    HealthStatus,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Resume,
    Retry,
    SourceBatch,
    SourceDescription,
)
from tests.manager._stream import stamped

SICK = HealthStatus("unhealthy", "sick")


class Book:
    """What became of all instances of a plugin, and what must not have happened to them.

    Attributes:
        launched: Every instance.
        wrong: What must not happen.
        held: Rows that a consumer made durable, in order.
    """

    def __init__(self) -> None:
        self.launched: list[Booked] = []
        self.wrong: list[str] = []
        self.held: list[int] = []

    @property
    def living(self) -> list[Booked]:
        """The instances that have not been stopped."""
        return [each for each in self.launched if not each.stops]

    def candidate(self, make: Callable[[], Booked], workers: int) -> Candidate:
        """What launches a new instance each time."""

        async def launch(count: int) -> Any:
            plugin = make()
            plugin.book = self
            self.launched.append(plugin)
            return plugin.executed(count)

        return Candidate(launch=launch, config_of=lambda _: {}, workers=workers)


class Booked(Base):
    """A plugin that is on record.

    Attributes:
        mode: How it fails: the name of a step, or of what its answers are.
        stops: How often it was stopped.
    """

    kind = "processor"
    stateful = False
    book: Book

    def __init__(self, version: str, mode: str = "") -> None:
        self.version = version
        self.mode = mode
        self.stops = 0

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("booked", self.version, self.kind, stateful=self.stateful)

    def executed(self, workers: int) -> Any:
        """The handle of a new instance."""
        return native.handle(self, workers=workers)

    async def configure(self, config: Any) -> None:
        await self._step("configure")

    async def start(self, context: Context) -> None:
        await self._step("start")

    async def stop(self) -> None:
        self.stops += 1
        if self.stops > 1:
            self.book.wrong.append(f"{self.version} was stopped {self.stops} times")
        await self._step("stop")

    async def health(self) -> HealthStatus:
        return SICK if self.mode in ("health", "sick") else HealthStatus()

    async def _step(self, name: str) -> None:
        await asyncio.sleep(0)
        if self.mode == name:
            raise RuntimeError(f"{name} fails")

    async def _asked(self) -> None:
        if self.stops:
            self.book.wrong.append(f"{self.version} was asked after its stop")
        await asyncio.sleep(0)
        if self.mode == "lost":
            raise PluginLost(f"{self.version} died 6 times")
        if self.mode == "crash":
            raise RuntimeError("crashes")
        if self.mode == "retry":
            raise Retry("is away", after_s=0.001)


class Stamping(Booked):
    """Stamps its version."""

    async def process_batch(self, batch: Batch) -> Outputs:
        await self._asked()
        errors = {0: PluginError("no")} if self.mode == "rows" else {}
        rows = [row for row in range(len(batch)) if row not in errors]
        payloads = [stamped(batch.payloads.value(row), self.version) for row in rows]
        part = OutputPart(batch.take(rows).replace(payloads=JsonPayloads(payloads)), rows)
        return Outputs([part], errors)


class Counting(Booked):
    """Holds a state: how many rows it has seen."""

    stateful = True

    def __init__(self, version: str, mode: str = "") -> None:
        super().__init__(version, mode)
        self.count = 0

    async def process_batch(self, batch: Batch) -> Outputs:
        rows = range(len(batch))
        await self._asked()
        if batch.payloads.value(0)["n"] != self.count:
            self.book.wrong.append(f"{self.version} has seen {self.count} rows, not {rows}")
        self.count = batch.payloads.value(len(batch) - 1)["n"] + 1
        payloads = [stamped(batch.payloads.value(row), self.version) for row in rows]
        return Outputs([OutputPart(batch.replace(payloads=JsonPayloads(payloads)), rows)])

    async def export_state(self) -> bytes:
        await self._step("export")
        return str(self.count).encode()

    async def import_state(self, state: bytes) -> None:
        await self._step("import")
        self.count = int(state)


class Away(Counting):
    """The same in another process: its state is what it says when it is stopped."""

    def executed(self, workers: int) -> Any:
        return _AwayHandle(self)


class _AwayHandle:
    """Stops the plugin for its state, and starts it with one, as plugins in processes are."""

    keeps_state = True

    def __init__(self, plugin: Away) -> None:
        self._plugin = plugin
        self.metadata = plugin.metadata
        self.configure = plugin.configure
        self.health = plugin.health
        self.process_batch = plugin.process_batch

    async def start(self, context: Context, imported_state: bytes = b"") -> None:
        await self._plugin.start(context)
        if imported_state:
            await self._plugin.import_state(imported_state)

    async def export_state(self) -> bytes:
        state = await self._plugin.export_state()
        await self.stop()
        return state

    async def stop(self) -> None:
        if not self._plugin.stops:
            await self._plugin.stop()


class Writing(Booked):
    """A consumer that holds what it is given until it is flushed, and loses it when stopped."""

    kind = "consumer"

    def __init__(self, version: str, mode: str = "") -> None:
        super().__init__(version, mode)
        self.taken: list[int] = []
        self.through = -1

    async def consume(self, delivery: Delivery) -> int | None:
        await self._asked()
        values = map(delivery.batch.payloads.value, range(len(delivery.batch)))
        self.taken += [value["n"] for value in values]
        self.through = delivery.completed_through
        return await self.flush() if len(self.taken) > 500 else None

    async def flush(self) -> int | None:
        await self._asked()
        await self._step("flush")
        self.book.held += self.taken
        self.taken = []
        return self.through


class Keeping(Writing):
    """A consumer that keeps its position: only one may be at work."""

    async def start(self, context: Context) -> None:
        others = [e for e in self.book.living if e is not self and getattr(e, "at_work", False)]
        if others:
            self.book.wrong.append(f"{self.version} started beside {others[0].version}")
        self.at_work = True
        await super().start(context)

    async def stop(self) -> None:
        await super().stop()
        self.at_work = False

    async def durable_position(self) -> int | None:
        return self.book.held[-1] if self.book.held else -1


class Reading(Booked):
    """A source of numbers."""

    kind = "source"

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="numbers")

    async def acknowledge(self, completed_through: int) -> None:
        if self.stops:
            self.book.wrong.append(f"{self.version} was acknowledged after its stop")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        n = after.position + 1 if after else 0
        while True:
            await self._asked()
            rows = range(n, n + 5)
            values = [{"n": row, "version": self.version} for row in rows]
            yield SourceBatch(Batch.of("Number", values, ids=[str(row) for row in rows]), rows)
            n += 5
