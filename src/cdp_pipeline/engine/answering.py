"""One parcel at a processor: asked part by part, every failed row settled by the policy.

Invariant 1: a row whose processing failed is in the output, counted as dropped, among the dead
letters, or the stage fails.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from time import perf_counter

from cdp_pipeline.engine.breaker import Breaker
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.identity import Rows, with_ids
from cdp_pipeline.engine.parcel import Parcel, Part
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import StageFailed, StageSpec
from cdp_pipeline.engine.statistics import StageStatistics
from cdpplugin import (
    Batch,
    Constant,
    Drop,
    Fatal,
    OutputPart,
    Outputs,
    PluginError,
    Processor,
    Retry,
)
from cdpplugin.batch import take_column
from cdpplugin.function import as_plugin_error


class Answering:
    """One processor, asked for one parcel."""

    def __init__(
        self,
        spec: StageSpec,
        processor: Processor,
        dead_letters: DeadLetters,
        statistics: StageStatistics,
        patience: Patience,
        breaker: Breaker,
    ) -> None:
        self._breaker = breaker
        self._given_up = 0
        self._spec = spec
        self._processor = processor
        self._dead_letters = dead_letters
        self._statistics = statistics
        self._patience = patience

    async def work(self, parcel: Parcel) -> Parcel:
        """Return the outputs of *parcel*; a failure carries those of the positions before it."""
        done: list[Part] = []
        failure: StageFailed | None = None
        for whole in parcel.parts:
            part = _before(whole, failure)
            if not len(part.batch):
                continue
            self._statistics.rows_in += len(part.batch)
            taken, others = by_type(part, self._spec.takes)
            if others is not None:
                done.append(others)
            try:
                if taken is not None:
                    await self._resolve(taken, done)
            except StageFailed as error:
                failure = error
        if failure is None:
            return Parcel(done, parcel.completed_through)
        failure.before = _parcel_before(done, failure, parcel.completed_through)
        raise failure

    async def _resolve(self, part: Part, done: list[Part]) -> None:
        """Add the outputs of *part* to *done*, every failed row settled by the policy."""
        given_up = self._given_up
        try:
            await self._settled(part, done)
        finally:
            self._breaker.note(len(part.batch), self._given_up - given_up)

    async def _settled(self, part: Part, done: list[Part]) -> None:
        outputs, tries_left = await self._call_until_answered(part)
        if not outputs.errors:
            done += self._parts(part, outputs.parts)
            return
        next_row = 0
        for row in sorted(outputs.errors):
            done += self._parts(part, _within(outputs.parts, next_row, row))
            done += await self._settle(part, row, outputs.errors[row], tries_left)
            next_row = row + 1
        done += self._parts(part, _within(outputs.parts, next_row, len(part.batch)))

    async def _call_until_answered(self, part: Part) -> tuple[Outputs, int | None]:
        """Call the plugin; a whole batch that asks for a retry is repeated as a whole.

        Returns:
            The answer, and how often a failed row may be tried again: None for as often as
            the policy says. When the batch has used up the repetitions, each of its rows
            gets one try alone, since one of them may be what all the others wait for.
        """
        attempt = 0
        while True:
            try:
                return await self._call(part.batch), None
            except Fatal as error:
                raise StageFailed(self._spec, error, part.positions[0]) from error
            except Retry as error:
                attempt += 1
                if attempt > self._spec.on_error.attempts:
                    return _all_failed(part, error), int(len(part.batch) > 1)
                await self._wait(attempt, error, part.positions[0])
            except Exception as error:
                return _all_failed(part, as_plugin_error(error)), None

    async def _call(self, batch: Batch) -> Outputs:
        begun = perf_counter()
        try:
            outputs = await self._processor.process_batch(batch)
        finally:
            self._statistics.busy_s += perf_counter() - begun
        for reason, rows in outputs.dropped.items():
            self._statistics.count_drops(reason, rows)
        if silent := _without_answer(outputs, len(batch)):
            self._statistics.count_drops("no output", silent)
        return outputs

    async def _settle(
        self, part: Part, row: int, error: PluginError, tries_left: int | None
    ) -> list[Part]:
        """Return the outputs of a failed row: none, or those of a repetition that worked."""
        policy, single = self._spec.on_error, part.slice(row, row + 1)
        attempts = policy.attempts if tries_left is None else tries_left
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
            if not repeat or attempt > attempts:
                await self._give_up(part, row, error, exhausted=repeat)
                return []
            if tries_left is None:
                await self._wait(attempt, error, part.positions[row])
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
        self._given_up += 1
        action = policy.then if exhausted else policy.action
        if action == "drop":
            self._statistics.count_drops(f"error: {error.code}")
        elif action == "dead_letter":
            plugin = self._processor.metadata().reference
            await set_aside(self._dead_letters, self._spec, plugin, part, row, error)
            self._statistics.dead_lettered += 1
        else:
            raise StageFailed(self._spec, error, part.positions[row]) from error

    async def _wait(self, attempt: int, error: PluginError, position: int) -> None:
        """Wait before a repetition.

        Raises:
            StageFailed: The run is to stop; the row comes again in the next one.
        """
        if self._patience.ended:
            raise StageFailed(self._spec, error, position)
        self._statistics.retried += 1
        await self._patience.wait(self._spec, attempt, error)

    def _parts(self, part: Part, outputs: Iterable[OutputPart]) -> Iterator[Part]:
        """Give *outputs* the positions and ids that derive from *part*'s rows."""
        earlier: list[Rows] = []
        for output in outputs:
            if not len(output.batch):
                continue
            batch = with_ids(output.batch, output.rows, part.batch, self._spec.name, earlier)
            earlier.append((output.batch.types, output.rows))
            whole = output.rows == range(len(part.batch))
            yield Part(batch, part.positions if whole else take_column(part.positions, output.rows))


async def set_aside(
    letters: DeadLetters, spec: StageSpec, plugin: str, part: Part, row: int, error: PluginError
) -> None:
    """Write row *row* of *part*, at which *plugin* failed, to the dead letters.

    Raises:
        StageFailed: dead_letter.unwritable; the row is lost to nobody, the stage stops.
    """
    try:
        await letters.write(part, row, error, stage=spec.name, plugin=plugin)
    except OSError as refused:
        unwritable = PluginError(
            f"the dead letter of `{error}` cannot be written to `{letters.path}`: "
            f"{refused.strerror}",
            code="dead_letter.unwritable",
            hint="make room, or set `dead_letter.path` to a file that can be written",
        )
        raise StageFailed(spec, unwritable, part.positions[row]) from refused


def _before(part: Part, failure: StageFailed | None) -> Part:
    """Return the rows of *part* before the position of *failure*; all where there is none."""
    if failure is None or failure.position is None:
        return part
    return part.slice(0, bisect_left(part.positions, failure.position))


def _parcel_before(done: Iterable[Part], failure: StageFailed, mark: int) -> Parcel | None:
    """Return what is whole before *failure*: earlier rows, and a mark that promises no more."""
    if failure.position is None:
        return None
    parts = [part for part in (_before(each, failure) for each in done) if len(part.batch)]
    return Parcel(parts, min(mark, failure.position - 1))


def by_type(part: Part, takes: frozenset[str]) -> tuple[Part | None, Part | None]:
    """Return the rows of *part* whose type is in *takes* (empty: any), and the others."""
    types = part.batch.types
    if not takes:
        return part, None
    if isinstance(types, Constant):
        return (part, None) if types.value in takes else (None, part)
    rows = [row for row, kind in enumerate(types) if kind in takes]
    if len(rows) == len(part.batch):
        return part, None
    others = [row for row, kind in enumerate(types) if kind not in takes]
    return _rows(part, rows), _rows(part, others)


def _rows(part: Part, rows: list[int]) -> Part | None:
    return Part(part.batch.take(rows), take_column(part.positions, rows)) if rows else None


def _without_answer(outputs: Outputs, rows: int) -> int:
    """Return how many input rows have neither output nor error nor a reason for that."""
    whole = range(rows)
    if any(part.rows == whole for part in outputs.parts):
        return 0
    answered = set().union(*(part.rows for part in outputs.parts), outputs.errors)
    return max(0, rows - len(answered) - sum(outputs.dropped.values()))


def _within(parts: Iterable[OutputPart], start: int, stop: int) -> list[OutputPart]:
    pieces = (part.within(start, stop) for part in parts) if stop > start else ()
    return [piece for piece in pieces if piece is not None]


def _all_failed(part: Part, error: PluginError) -> Outputs:
    return Outputs(errors=dict.fromkeys(range(len(part.batch)), error))
