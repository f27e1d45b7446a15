"""A stream under full load: numbered rows without end, and a witness that misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from cdp_pipeline.engine.batcher import BatchLimits
from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.pipeline import ConsumerStep, Pipeline, PipelineSpec, ProcessorStep
from cdp_pipeline.engine.policy import ErrorPolicy
from cdp_pipeline.engine.spec import StageSpec
from cdp_pipeline.engine.statistics import RunStatistics
from cdp_pipeline.runtimes.native import handle
from cdpplugin import (
    Base,
    Batch,
    Delivery,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
    encode_json,
)

ROWS = 50


class Numbers(Base):
    """Reads 0, 1, 2, ... until it is told to end."""

    def __init__(self, payload: Callable[[int], Any] = lambda n: {"n": n}) -> None:
        self.ended = False
        self._payload = payload

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("numbers", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="numbers")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        n = after.position + 1 if after else 0
        while not self.ended:
            rows = range(n, n + ROWS)
            batch = Batch.of("Number", [self._payload(i) for i in rows], ids=[str(i) for i in rows])
            yield SourceBatch(batch, rows)
            n += ROWS
            await asyncio.sleep(0)


class Witness(Base):
    """Sees that each row comes once, in order, and which version stamped it.

    Attributes:
        count: Rows so far.
        wrong: The first things that were not as expected.
        stamps: The version that stamped each row.
    """

    def __init__(self) -> None:
        self.count = 0
        self.wrong: list[tuple[int, Any]] = []
        self.stamps: list[str] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("witness", "1.0.0", "consumer")

    async def consume(self, delivery: Delivery) -> int | None:
        payloads = delivery.batch.payloads
        for row in range(len(delivery.batch)):
            value = payloads.value(row)
            if value["n"] != self.count and len(self.wrong) < 5:
                self.wrong.append((self.count, value))
            self.count += 1
            self.stamps.append(value.get("version", ""))
        return delivery.completed_through

    @property
    def runs(self) -> list[str]:
        """The versions in the order in which they took over."""
        return [stamp for stamp, _ in groupby(self.stamps)]


def policy(action: Any = "fail", **options: Any) -> ErrorPolicy:
    return ErrorPolicy(action, **({"attempts": 20, "initial_delay_s": 0.01} | options))


def pipeline(
    folder: Path,
    source: Any,
    processor: Any,
    witness: Any,
    *,
    workers: int = 2,
    on_error: ErrorPolicy | None = None,
) -> Pipeline:
    """A run of the real engine, whose plugins are started."""

    def spec(name: str, workers: int = 1) -> StageSpec:
        return StageSpec(
            name=name,
            plugin=f"{name}@1.0.0",
            on_error=on_error or policy(),
            limits=BatchLimits(rows=ROWS),
            workers=workers,
        )

    steps: list[Any] = [ProcessorStep(spec("stage", workers), processor)] if processor else []
    return Pipeline(
        PipelineSpec(
            source_spec=spec("source"),
            source=source,
            steps=[*steps, ConsumerStep(spec("sink"), witness)],
            store=CheckpointStore(folder / "checkpoint.json"),
            checkpoint=Checkpoint(pipeline="p", source="numbers"),
            resume=None,
            dead_letters=DeadLetters(folder / "dead-letters.jsonl"),
        ),
        RunStatistics(source="numbers"),
    )


class Stream:
    """A pipeline at full load around one plugin; what is not named is a double."""

    def __init__(
        self,
        folder: Path,
        processor: Any = None,
        *,
        source: Any = None,
        sink: Any = None,
        witness: Witness | None = None,
        numbers: Numbers | None = None,
        **options: Any,
    ) -> None:
        self.numbers = numbers or Numbers()
        self.witness = witness or Witness()
        self.pipeline = pipeline(
            folder,
            source or handle(self.numbers),
            processor,
            sink or handle(self.witness),
            **options,
        )
        self._running: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Stream:
        self._running = asyncio.create_task(self.pipeline.run())
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.numbers.ended = True
        assert self._running is not None
        outcome = await asyncio.wait_for(self._running, 60)
        assert [] == outcome.failures

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until something holds, or the run ends."""
        assert self._running is not None
        async with asyncio.timeout(60):
            while not what() and not self._running.done():
                await asyncio.sleep(0.002)

    async def flows(self) -> None:
        """Wait until more rows have arrived."""
        seen = self.witness.count
        await self.until(lambda: self.witness.count >= seen + 4 * ROWS)

    async def flows_from(self, version: str) -> None:
        """Wait until rows of a version arrive."""
        seen = self.witness.count
        await self.until(lambda: version in self.witness.stamps[seen:])

    def check(self, *runs: str) -> None:
        """Every row came once, in order, from these versions one after the other."""
        assert [] == self.witness.wrong
        assert list(runs) == self.witness.runs


def stamped(value: Any, version: str) -> bytes:
    return encode_json(value | {"version": version})
