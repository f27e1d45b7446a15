"""Feed a consumer, and learn through which position it is durable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from time import perf_counter

from cdp_pipeline.engine.answering import by_type, set_aside
from cdp_pipeline.engine.batcher import Batcher
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.parcel import Edge, Parcel, Part
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import StageFailed, StageSpec
from cdp_pipeline.engine.statistics import StageStatistics
from cdpplugin import Batch, Constant, Consumer, Delivery, Drop, Fatal, PluginError, Retry
from cdpplugin.function import as_plugin_error

Report = Callable[[int], None]
"""Called with the position through which the consumer is durable; never decreasing."""


class ConsumerStage:
    """One consumer at work: one delivery at a time, in order.

    A delivery that asks for a retry is repeated as it was. Any other error is settled by
    the stage's policy; to keep the good rows, the delivery is halved until the bad row
    stands alone.
    """

    def __init__(
        self,
        spec: StageSpec,
        consumer: Consumer,
        edge: Edge,
        dead_letters: DeadLetters,
        statistics: StageStatistics,
        report: Report,
        patience: Patience,
        *,
        flush_after_s: float = 10.0,
    ) -> None:
        self._spec = spec
        self._consumer = consumer
        self._edge = edge
        self._dead_letters = dead_letters
        self._statistics = statistics
        self._report = report
        self._patience = patience
        self._flush_after_s = flush_after_s
        self._taken_through = -1
        self._durable_through = -1

    async def run(self) -> None:
        """Work until the stream ends, then flush.

        Raises:
            StageFailed: A delivery failed and the policy says to stop. What was taken
                before is flushed first.
        """
        flusher = asyncio.create_task(self._flush_when_idle())
        self._busy = asyncio.Lock()
        try:
            async for parcel in Batcher(self._edge, self._spec.limits).parcels():
                async with self._busy:
                    await self._take(parcel)
            async with self._busy:  # an idle flush that is under way ends first
                flusher.cancel()
                await self.flush()
        finally:
            flusher.cancel()

    async def flush(self) -> None:
        """Make everything taken so far durable, as far as the consumer can."""
        await self._until_done(self._consumer.flush, None)

    async def _flush_when_idle(self) -> None:
        """Flush a stream that has fallen silent, so that its checkpoint does not wait."""
        seen = -1
        while True:
            await asyncio.sleep(self._flush_after_s)
            if seen == self._taken_through > self._durable_through:
                # An error that stays meets the next delivery, or the flush at the end.
                async with self._busy:
                    with suppress(PluginError):
                        await self.flush()
            seen = self._taken_through

    async def _take(self, parcel: Parcel) -> None:
        before = self._taken_through
        parts = []
        for part in parcel.parts:
            taken, others = by_type(part, self._spec.takes)
            parts += [taken] if taken is not None else []
            if others is not None:
                self._statistics.count_drops("a type it does not take", len(others.batch))
        for delivery in _deliveries(Parcel(parts, parcel.completed_through), before):
            self._statistics.rows_in += len(delivery.batch)
            await self._deliver(delivery)
            self._count(delivery.batch)
        self._taken_through = max(before, parcel.completed_through)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._until_done(lambda: self._consumer.consume(delivery), delivery)
        except PluginError as error:
            rows = len(delivery.batch)
            policy = self._spec.on_error
            action = policy.then if policy.action == "retry" else policy.action
            fails = action == "fail" and not isinstance(error, Drop)
            if isinstance(error, Fatal) or fails or rows == 0:
                position = delivery.positions[0] if rows else delivery.completed_through
                raise StageFailed(self._spec, error, position) from error
            await self._settle(delivery, error, action)

    async def _settle(self, delivery: Delivery, error: PluginError, action: str) -> None:
        rows = len(delivery.batch)
        if rows > 1:
            for half in _halves(delivery):
                await self._deliver(half)
            return
        if isinstance(error, Drop):
            self._statistics.count_drops(error.reason)
        elif action == "drop":
            self._statistics.count_drops(f"error: {error.code}")
        else:
            part = Part(delivery.batch, delivery.positions)
            plugin = self._consumer.metadata().reference
            await set_aside(self._dead_letters, self._spec, plugin, part, 0, error)
            self._statistics.dead_lettered += 1
        await self._deliver(Delivery(Batch.empty(), (), delivery.completed_through))

    async def _until_done(
        self, call: Callable[[], Awaitable[int | None]], delivery: Delivery | None
    ) -> None:
        """Call the consumer, again and again while its errors are worth a repetition.

        Raises:
            PluginError: It is not, or no longer.
        """
        policy = self._spec.on_error
        attempt = 0
        while True:
            begun = perf_counter()
            try:
                self._note(await call())
                return
            except Exception as caught:
                error = as_plugin_error(caught)
                self._statistics.failed += not isinstance(error, Drop)
                repeat = isinstance(error, Retry) or policy.action == "retry"
                attempt += 1
                if isinstance(error, (Fatal, Drop)) or not repeat or attempt > policy.attempts:
                    raise error from caught
            finally:
                self._statistics.busy_s += perf_counter() - begun
            if self._patience.ended:
                raise Fatal(error.message, code=error.code, hint=error.hint) from error
            self._statistics.retried += 1
            await self._patience.wait(self._spec, attempt, error)

    def _note(self, durable_through: int | None) -> None:
        if durable_through is not None and durable_through > self._durable_through:
            self._durable_through = durable_through
            self._report(durable_through)

    def _count(self, batch: Batch) -> None:
        types = batch.types
        counts = {types.value: len(batch)} if isinstance(types, Constant) else Counter(types)
        for kind, rows in counts.items():
            if rows:
                self._statistics.by_type[kind] = self._statistics.by_type.get(kind, 0) + rows
        self._statistics.rows_out += len(batch)


def _deliveries(parcel: Parcel, before: int) -> Iterator[Delivery]:
    """Yield a delivery a part; the mark comes with the last."""
    for part in parcel.parts[:-1]:
        yield Delivery(part.batch, part.positions, before)
    if parcel.parts:
        last = parcel.parts[-1]
        yield Delivery(last.batch, last.positions, parcel.completed_through)
    elif parcel.completed_through > before:
        yield Delivery(Batch.empty(), (), parcel.completed_through)


def _halves(delivery: Delivery) -> Iterator[Delivery]:
    """Yield the two halves of *delivery*; only the second carries its mark."""
    rows = len(delivery.batch)
    middle = rows // 2
    part = Part(delivery.batch, delivery.positions)
    first, second = part.slice(0, middle), part.slice(middle, rows)
    floor = min(part.positions[0] - 1, delivery.completed_through)
    yield Delivery(first.batch, first.positions, floor)
    yield Delivery(second.batch, second.positions, delivery.completed_through)
