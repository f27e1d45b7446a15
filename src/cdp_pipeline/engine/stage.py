"""Run a processor over a stream of parcels: N at a time, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress

from cdp_pipeline.engine.answering import Answering
from cdp_pipeline.engine.batcher import Batcher
from cdp_pipeline.engine.breaker import Breaker
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.parcel import Edge, Outlet, Parcel
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import StageFailed, StageSpec
from cdp_pipeline.engine.statistics import StageStatistics
from cdpplugin import Processor


class ProcessorStage:
    """One processor at work.

    Invariant 2: parcels leave in the order in which they came, whatever `workers` is.
    What came before a parcel that failed has left when `run` raises.
    """

    def __init__(
        self,
        spec: StageSpec,
        processor: Processor,
        edge: Edge,
        outlet: Outlet,
        dead_letters: DeadLetters,
        statistics: StageStatistics,
        patience: Patience,
    ) -> None:
        self._patience = patience
        self._breaker = Breaker(spec, patience)
        self._spec = spec
        self._processor = processor
        self._edge = edge
        self._outlet = outlet
        self._dead_letters = dead_letters
        self._statistics = statistics

    async def run(self) -> None:
        """Work until the stream ends.

        Raises:
            StageFailed: A row failed and the policy says to stop.
        """
        started: asyncio.Queue[asyncio.Task[Parcel] | None] = asyncio.Queue()
        slots = asyncio.Semaphore(self._spec.workers)
        dispatch = asyncio.create_task(self._dispatch(started, slots))
        try:
            await self._emit(started, slots)
            await dispatch
        finally:
            await _cancel([dispatch, *_drained(started)])

    async def _dispatch(
        self, started: asyncio.Queue[asyncio.Task[Parcel] | None], slots: asyncio.Semaphore
    ) -> None:
        try:
            async for parcel in Batcher(self._edge, self._spec.limits).parcels():
                await slots.acquire()
                await started.put(asyncio.create_task(self._work(parcel)))
        finally:
            await started.put(None)  # the queue has no bound: this never waits

    async def _emit(
        self, started: asyncio.Queue[asyncio.Task[Parcel] | None], slots: asyncio.Semaphore
    ) -> None:
        while (task := await started.get()) is not None:
            try:
                parcel = await task
            except StageFailed as failure:
                if failure.before is not None:
                    await self._put(failure.before)
                raise
            finally:
                slots.release()
            await self._put(parcel)

    async def _put(self, parcel: Parcel) -> None:
        self._statistics.rows_out += parcel.rows
        await self._outlet.put(parcel)

    async def _work(self, parcel: Parcel) -> Parcel:
        """Return the outputs of *parcel*, all of them by the same instance of the plugin."""
        await self._breaker.closed()
        pinned = getattr(self._processor, "pinned", None)
        async with nullcontext(self._processor) if pinned is None else pinned() as processor:
            answering = Answering(
                self._spec,
                processor,
                self._dead_letters,
                self._statistics,
                self._patience,
                self._breaker,
            )
            return await answering.work(parcel)


def _drained(
    started: asyncio.Queue[asyncio.Task[Parcel] | None],
) -> Iterator[asyncio.Task[Parcel]]:
    while not started.empty():
        task = started.get_nowait()
        if task is not None:
            yield task


async def _cancel(tasks: Iterable[asyncio.Task[object] | asyncio.Task[Parcel]]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(BaseException):
            await task
