"""Run a processor over a stream of parcels: N at a time, in order, errors by policy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from cdp_pipeline.engine.batcher import Batcher, BatchLimits
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.identity import with_ids
from cdp_pipeline.engine.parcel import Edge, Outlet, Parcel, Part
from cdp_pipeline.engine.policy import ErrorPolicy, delay_s
from cdp_pipeline.engine.statistics import StageStatistics
from cdpplugin import Batch, Drop, Fatal, OutputPart, Outputs, PluginError, Processor, Retry
from cdpplugin.batch import take_column
from cdpplugin.function import as_plugin_error


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """How a stage is run.

    Attributes:
        name: Unique in its pipeline; part of derived ids.
        plugin: `name@version`, for errors and dead letters.
        on_error: What to do with a row that failed.
        limits: How batches are cut.
        workers: Batches worked on at the same time; order is kept all the same.
    """

    name: str
    plugin: str
    on_error: ErrorPolicy
    limits: BatchLimits
    workers: int = 1


class StageFailed(Exception):
    """A stage gave up; carries what the user is told."""

    def __init__(self, spec: StageSpec, error: PluginError, position: int | None) -> None:
        super().__init__(str(error))
        self.spec = spec
        self.error = error
        self.position = position


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
    ) -> None:
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
        async for parcel in Batcher(self._edge, self._spec.limits).parcels():
            await slots.acquire()
            await started.put(asyncio.create_task(self._work(parcel)))
        await started.put(None)

    async def _emit(
        self, started: asyncio.Queue[asyncio.Task[Parcel] | None], slots: asyncio.Semaphore
    ) -> None:
        while (task := await started.get()) is not None:
            try:
                parcel = await task
            finally:
                slots.release()
            self._statistics.rows_out += parcel.rows
            await self._outlet.put(parcel)

    async def _work(self, parcel: Parcel) -> Parcel:
        parts: list[Part] = []
        for part in parcel.parts:
            self._statistics.rows_in += len(part.batch)
            parts += await self._resolve(part)
        return Parcel(parts, parcel.completed_through)

    async def _resolve(self, part: Part) -> list[Part]:
        """Return the outputs of *part*, every failed row settled by the policy."""
        outputs = await self._call_until_answered(part)
        if not outputs.errors:
            return list(self._parts(part, outputs.parts))
        settled: list[Part] = []
        next_row = 0
        for row in sorted(outputs.errors):
            settled += self._parts(part, _within(outputs.parts, next_row, row))
            settled += await self._settle(part, row, outputs.errors[row])
            next_row = row + 1
        settled += self._parts(part, _within(outputs.parts, next_row, len(part.batch)))
        return settled

    async def _call_until_answered(self, part: Part) -> Outputs:
        """Call the plugin; a whole batch that asks for a retry is repeated as a whole."""
        attempt = 0
        while True:
            try:
                return await self._call(part.batch)
            except Fatal as error:
                raise StageFailed(self._spec, error, part.positions[0]) from error
            except Retry as error:
                attempt += 1
                if attempt > self._spec.on_error.attempts:
                    return _all_failed(part, error)
                await self._wait(attempt, error)
            except Exception as error:
                return _all_failed(part, as_plugin_error(error))

    async def _call(self, batch: Batch) -> Outputs:
        begun = perf_counter()
        try:
            outputs = await self._processor.process_batch(batch)
        finally:
            self._statistics.busy_s += perf_counter() - begun
        for reason, rows in outputs.dropped.items():
            self._statistics.count_drops(reason, rows)
        return outputs

    async def _settle(self, part: Part, row: int, error: PluginError) -> list[Part]:
        """Return the outputs of a failed row: none, or those of a repetition that worked."""
        policy, single = self._spec.on_error, part.slice(row, row + 1)
        attempt = 0
        while True:
            self._statistics.failed += not isinstance(error, Drop)
            if isinstance(error, Drop):
                self._statistics.count_drops(error.reason)
                return []
            if isinstance(error, Fatal):
                raise StageFailed(self._spec, error, part.positions[row])
            repeat = isinstance(error, Retry) or policy.action == "retry"
            attempt += 1
            if not repeat or attempt > policy.attempts:
                await self._give_up(part, row, error, exhausted=repeat)
                return []
            await self._wait(attempt, error)
            outputs = await self._call_once(single)
            if 0 not in outputs.errors:
                return list(self._parts(single, outputs.parts))
            error = outputs.errors[0]

    async def _call_once(self, single: Part) -> Outputs:
        try:
            return await self._call(single.batch)
        except Exception as error:
            return _all_failed(single, as_plugin_error(error))

    async def _give_up(self, part: Part, row: int, error: PluginError, *, exhausted: bool) -> None:
        """Do what the policy says of a row that cannot be processed."""
        policy = self._spec.on_error
        action = policy.then if exhausted else policy.action
        if action == "drop":
            self._statistics.count_drops(f"error: {error.code}")
        elif action == "dead_letter":
            await self._dead_letters.write(
                part, row, error, stage=self._spec.name, plugin=self._spec.plugin
            )
            self._statistics.dead_lettered += 1
        else:
            raise StageFailed(self._spec, error, part.positions[row]) from error

    async def _wait(self, attempt: int, error: PluginError) -> None:
        self._statistics.retried += 1
        after_s = error.after_s if isinstance(error, Retry) else None
        await asyncio.sleep(delay_s(self._spec.on_error, attempt, after_s))

    def _parts(self, part: Part, outputs: Iterable[OutputPart]) -> Iterator[Part]:
        """Give *outputs* the positions and ids that derive from *part*'s rows."""
        for output in outputs:
            if not len(output.batch):
                continue
            batch = with_ids(output.batch, output.rows, part.batch, self._spec.name)
            whole = output.rows == range(len(part.batch))
            yield Part(batch, part.positions if whole else take_column(part.positions, output.rows))


def _within(parts: Iterable[OutputPart], start: int, stop: int) -> list[OutputPart]:
    pieces = (part.within(start, stop) for part in parts) if stop > start else ()
    return [piece for piece in pieces if piece is not None]


def _all_failed(part: Part, error: PluginError) -> Outputs:
    return Outputs(errors=dict.fromkeys(range(len(part.batch)), error))


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
