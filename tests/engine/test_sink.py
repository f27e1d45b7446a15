"""A consumer is fed one delivery at a time; a silent stream holds back no checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.parcel import Edge, Parcel, Part
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.sink import ConsumerStage
from cdp_pipeline.engine.spec import StageFailed
from cdp_pipeline.engine.statistics import StageStatistics
from cdp_pipeline.testing import MemoryConsumer, ScriptedSource
from cdpplugin import Batch, Delivery, Drop, Fatal, PluginError, Retry, Sep51Payloads
from tests.engine.conftest import Bench, Limits, Policy, numbers


class Feed:
    """A consumer stage at work, fed by hand."""

    def __init__(self, folder: Path, consumer: Any, *, flush_after_s: float = 3600.0, **how: Any):
        self.edge = Edge(100)
        self.reported: list[int] = []
        self.statistics = StageStatistics("sink")
        policy = how.pop("policy", Policy())
        self.stage = ConsumerStage(
            Bench(folder).spec("sink", policy, how.pop("limits", Limits(rows=1000)), 1),
            consumer,
            self.edge,
            DeadLetters(folder / "letters.jsonl"),
            self.statistics,
            self.reported.append,
            Patience(),
            flush_after_s=flush_after_s,
        )
        self.running = asyncio.create_task(self.stage.run())

    async def give(self, *positions: int, mark: int | None = None, kind: str = "T") -> None:
        through = positions[-1] if mark is None else mark
        parts = [Part(Batch.of(kind, list(positions)), list(positions))] if positions else []
        await self.edge.put(Parcel(parts, through))

    async def end(self) -> None:
        await self.edge.put(None)
        async with asyncio.timeout(10):
            await self.running


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


class Watched(MemoryConsumer):
    """Notes how many calls are under way at once, and flushes only when it is let go.

    Like work on a thread, a flush that has begun goes on when its caller is cancelled.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(buffered=True, **options)
        self.flushes = self.under_way = self.most = 0
        self.let_go = asyncio.Event()

    async def consume(self, delivery: Delivery) -> int | None:
        async with self:
            return await super().consume(delivery)

    async def flush(self) -> int | None:
        return await asyncio.shield(asyncio.create_task(self._flush()))

    async def _flush(self) -> int | None:
        async with self:
            self.flushes += 1
            await self.let_go.wait()
            return await super().flush()

    async def __aenter__(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    async def __aexit__(self, *_: Any) -> None:
        self.under_way -= 1


class TestIdleFlush:
    async def test_a_silent_stream_is_flushed(self, tmp_path: Path) -> None:
        """What a consumer holds back becomes durable though nothing more comes."""
        feed = Feed(tmp_path, MemoryConsumer(buffered=True), flush_after_s=0.001)
        await feed.give(1, 2)
        await until(lambda: feed.reported)

        assert [2] == feed.reported
        await feed.end()

    async def test_a_flush_that_fails_is_tried_again(self, tmp_path: Path) -> None:
        """An error that passes costs the stream nothing."""

        class Flaky(MemoryConsumer):
            faults_left = 2

            async def flush(self) -> int | None:
                if self.faults_left:
                    self.faults_left -= 1
                    raise PluginError("disk full")
                return await super().flush()

        feed = Feed(tmp_path, Flaky(buffered=True), flush_after_s=0.001)
        await feed.give(1)
        await until(lambda: feed.reported)
        await feed.end()

        assert [1] == feed.reported

    async def test_no_two_calls_are_under_way_at_once(self, tmp_path: Path) -> None:
        """Neither a delivery nor the last flush runs into a flush that still works."""
        consumer = Watched()
        feed = Feed(tmp_path, consumer, flush_after_s=0.001)
        await feed.give(1)
        await until(lambda: consumer.flushes)
        await feed.give(2)
        await feed.edge.put(None)
        await until(lambda: feed.edge.empty)
        consumer.let_go.set()
        async with asyncio.timeout(10):
            await feed.running

        assert 1 == consumer.most
        assert [1, 2] == [position for position, *_ in consumer.rows]
        assert 2 == feed.reported[-1]

    async def test_a_flush_under_way_at_the_end_is_not_broken_off(self, tmp_path: Path) -> None:
        """The end of the stream waits for a flush that has begun, then flushes itself."""
        consumer = Watched()
        feed = Feed(tmp_path, consumer, flush_after_s=0.001)
        await feed.give(1)
        await until(lambda: consumer.flushes)
        await feed.edge.put(None)
        await until(lambda: feed.edge.empty)
        for _ in range(20):
            await asyncio.sleep(0)
        consumer.let_go.set()
        async with asyncio.timeout(10):
            await feed.running

        assert 1 == consumer.most
        assert 2 == consumer.flushes


class TestDeliveries:
    async def test_the_mark_comes_with_the_last_part(self, tmp_path: Path) -> None:
        """Of several parts of one parcel, only the last promises its position."""
        consumer = MemoryConsumer()
        feed = Feed(tmp_path, consumer)
        sep51 = Batch(types="B", payloads=Sep51Payloads([b"1", b"2"]))
        parts = [Part(Batch.of("A", [1, 2]), [1, 2]), Part(sep51, [1, 2])]
        await feed.edge.put(Parcel(parts, 2))
        await feed.end()

        assert [-1, 2] == consumer.marks

    async def test_a_mark_without_rows_is_delivered(self, tmp_path: Path) -> None:
        """A stream whose rows were all dropped still moves its consumer on."""
        feed = Feed(tmp_path, MemoryConsumer())
        await feed.give(mark=5)
        await feed.end()

        assert 5 == feed.reported[-1]

    async def test_reports_never_decrease(self, tmp_path: Path) -> None:
        """A consumer that forgets how far it was changes nothing."""

        class Forgetful(MemoryConsumer):
            async def consume(self, delivery: Delivery) -> int | None:
                await super().consume(delivery)
                return 9 - delivery.completed_through

        feed = Feed(tmp_path, Forgetful(buffered=True), limits=Limits(rows=1))
        for position in (1, 2, 3):
            await feed.give(position)
        await feed.end()

        assert [8] == feed.reported


class TestErrors:
    async def test_the_last_flush_fails_the_stage(self, tmp_path: Path) -> None:
        """What could not be made durable at the end is not passed over."""

        class Full(MemoryConsumer):
            async def flush(self) -> int | None:
                raise Fatal("disk full")

        feed = Feed(tmp_path, Full(buffered=True))
        await feed.give(1)
        await feed.edge.put(None)
        with pytest.raises((StageFailed, PluginError), match="disk full"):
            await feed.running
        assert [] == feed.reported

    async def test_a_last_flush_that_fails_fails_the_run(self, bench: Bench) -> None:
        """A run whose last flush failed is no success, and its checkpoint does not move."""

        class Full(MemoryConsumer):
            async def flush(self) -> int | None:
                raise PluginError("disk full", code="sink.full")

        outcome = await bench.run(ScriptedSource(numbers(1, 5)), Full(buffered=True))

        assert ["sink.full"] == [failure.error.code for failure in outcome.failures]
        assert bench.position is None

    async def test_drop_leaves_a_row_out_under_any_policy(self, tmp_path: Path) -> None:
        """`Drop` is never an error, and is counted by its reason."""

        class Picky(MemoryConsumer):
            async def consume(self, delivery: Delivery) -> int | None:
                if 2 in delivery.positions:
                    raise Drop("no twos")
                return await super().consume(delivery)

        consumer = Picky()
        feed = Feed(tmp_path, consumer)
        await feed.give(1, 2, 3)
        await feed.end()

        assert [1, 3] == [position for position, *_ in consumer.rows]
        assert {"no twos": 1} == feed.statistics.drop_reasons
        assert 3 == feed.reported[-1]

    async def test_retries_that_are_used_up_fail_the_stage(self, tmp_path: Path) -> None:
        """`Retry` for ever ends after the policy's attempts."""
        feed = Feed(tmp_path, MemoryConsumer([Retry("busy")] * 9), policy=Policy(attempts=2))
        await feed.give(1)
        with pytest.raises(StageFailed, match="busy"):
            await feed.running
        assert 2 == feed.statistics.retried
