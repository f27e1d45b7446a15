"""A source or a consumer with one fault fails the case whose rule it breaks, by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.discovery import load_file
from cdpplugin import Context, Delivery, Fatal, Resume, SourceBatch, SourceDescription

from .conftest import PLUGINS, Run

BOUND_S = 5.0
FILE = PLUGINS / "reference-python" / "plugin.py"
Source: Any = type(load_file(f"{FILE}:ReferenceSource"))
Consumer: Any = type(load_file(f"{FILE}:ReferenceConsumer"))


class GoesBackwards(Source):
    """Gives positions that decrease."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(after):
            yield replace(found, positions=[100 - each for each in found.positions])


class MarksTooEarly(Source):
    """Says that positions are complete which are still to come."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(after):
            yield replace(found, completed_through=found.positions[-1] + 2)


class LosesRowOnResume(Source):
    """Leaves out the first row when it goes on."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        skipped = Resume(after.position + 1, after.token) if after else None
        async for found in super().read(skipped):
            yield found


class EndsEarlyOnResume(Source):
    """Ends at once when it goes on."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        if after is None:
            async for found in super().read(after):
                yield found


class OtherRowsEachTime(Source):
    """Gives each row another id in each life."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(after):
            ids = [f"{each}:{id(self)}" for each in found.batch.ids]
            yield replace(found, batch=found.batch.replace(ids=ids))


class OtherStreamEachTime(Source):
    """Names its stream differently in each life."""

    async def describe(self) -> SourceDescription:
        return replace(await super().describe(), identity=f"stream-{id(self)}")


class LeavesItsRange(Source):
    """Tells a range that it does not keep."""

    async def describe(self) -> SourceDescription:
        return replace(await super().describe(), last=5)


class GivesOtherType(Source):
    """Gives a type that its metadata do not name."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(after):
            yield replace(found, batch=found.batch.replace(types=["Other"] * len(found.batch)))


class RefusesAcknowledgement(Source):
    """Fails when it is told what is durable."""

    async def acknowledge(self, completed_through: int) -> None:
        raise RuntimeError("not now")


class DeafWhenNotRead(Source):
    """Hears of what is durable only while it is read."""

    is_read = False

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        self.is_read = True
        try:
            async for found in super().read(after):
                yield found
        finally:
            self.is_read = False

    async def acknowledge(self, completed_through: int) -> None:
        if self.is_read:
            await super().acknowledge(completed_through)


class FailsWhenNotRead(DeafWhenNotRead):
    """Cannot be told what is durable when it is not read."""

    async def acknowledge(self, completed_through: int) -> None:
        if not self.is_read:
            raise RuntimeError("nobody reads")


class ForgetsPositions(Source):
    """Gives fewer positions than rows."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(after):
            yield replace(found, positions=found.positions[1:], completed_through=20)


class ReadsOnce(Source):
    """Cannot be read a second time."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        if hasattr(self, "was_read"):
            raise RuntimeError("already read")
        self.was_read = True
        async for found in super().read(after):
            yield found


class IgnoresToken(Source):
    """Goes on without the token it was given."""

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        async for found in super().read(Resume(after.position) if after else None):
            yield found


class CallsTooMuchDurable(Consumer):
    """Calls a position durable that it was not handed."""

    async def consume(self, delivery: Delivery) -> int | None:
        super().consume(delivery)
        return delivery.completed_through + 1


class NeverFlushes(Consumer):
    """Holds everything back, and does nothing when it is flushed."""

    async def consume(self, delivery: Delivery) -> int | None:
        return None

    async def flush(self) -> int | None:
        return None


class ForgetsAtRestart(Consumer):
    """Does not know in the next life what was durable."""

    async def start(self, context: Context) -> None:
        await super().start(context)
        self._file.unlink(missing_ok=True)
        await super().start(context)


class ClaimsMoreAtRestart(Consumer):
    """Claims in the next life more than what was durable."""

    async def durable_position(self) -> int:
        position: int = await super().durable_position()
        return position + 1 if position >= 0 else position


class RefusesRepetition(Consumer):
    """Fails when a delivery comes a second time."""

    async def consume(self, delivery: Delivery) -> int | None:
        if delivery.completed_through <= self._position:
            raise Fatal("this came before")
        durable: int | None = super().consume(delivery)
        return durable


class FailsOnEmpty(Consumer):
    """Cannot take a delivery of no messages."""

    async def consume(self, delivery: Delivery) -> int | None:
        delivery.batch.payloads.value(0)
        durable: int | None = super().consume(delivery)
        return durable


class RemembersAll(Consumer):
    """Says that it has forgotten, and has not."""

    async def forget(self, context: Context) -> Sequence[str]:
        return ["forgot all"]


class TakesItBack(Consumer):
    """Calls a position durable, and an earlier one afterwards."""

    async def consume(self, delivery: Delivery) -> int | None:
        super().consume(delivery)
        last = delivery.completed_through
        return last if last % 2 else last - 2


class DurableBeforeWork(Consumer):
    """Calls something durable when it is flushed without work."""

    async def flush(self) -> int:
        return 7


class DoublesReplay(Consumer):
    """Keeps rows again that it already holds."""

    def consume(self, delivery: Delivery) -> int | None:
        self._position = -1
        durable: int | None = super().consume(delivery)
        return durable


class LeavesHalfDone(Consumer):
    """Keeps the first rows of a delivery that fails."""

    def consume(self, delivery: Delivery) -> int | None:
        if len(delivery.batch) > 1:
            super().consume(
                replace(
                    delivery, batch=delivery.batch.slice(0, 1), positions=delivery.positions[:1]
                )
            )
            self._position = -1
        durable: int | None = super().consume(delivery)
        return durable


class MixesStages(Consumer):
    """Keeps one position for all stages."""

    def _file_of(self, context: Context) -> Path:
        file: Path = super()._file_of(Context("conformance", "under-test"))
        return file


SOURCES: list[tuple[Callable[[], Any], str]] = [
    (GoesBackwards, "source.order"),
    (MarksTooEarly, "source.order"),
    (ForgetsPositions, "source.order"),
    (LosesRowOnResume, "source.resumed"),
    (EndsEarlyOnResume, "source.resumed"),
    (OtherRowsEachTime, "source.repeated"),
    (OtherStreamEachTime, "source.description"),
    (LeavesItsRange, "source.range_kept"),
    (GivesOtherType, "source.messages"),
    (RefusesAcknowledgement, "source.acknowledged"),
    (FailsWhenNotRead, "source.acknowledged_after_end"),
    (DeafWhenNotRead, "reference.source.acknowledged_after_end"),
    (ReadsOnce, "source.read_again"),
    (IgnoresToken, "reference.source.resumed"),
]
CONSUMERS: list[tuple[Callable[[], Any], str]] = [
    (CallsTooMuchDurable, "consumer.delivered"),
    (NeverFlushes, "consumer.flushed"),
    (ForgetsAtRestart, "consumer.restarted"),
    (ClaimsMoreAtRestart, "consumer.restarted"),
    (RefusesRepetition, "consumer.repeated"),
    (FailsOnEmpty, "consumer.mark_only"),
    (RemembersAll, "consumer.forgotten"),
    (TakesItBack, "consumer.never_less"),
    (DurableBeforeWork, "consumer.flush_without_work"),
    (DoublesReplay, "reference.consumer.once"),
    (LeavesHalfDone, "reference.consumer.instructed"),
    (LeavesHalfDone, "reference.consumer.tried_again"),
    (MixesStages, "reference.consumer.keyed"),
]


def check(run: Run, broken: Callable[[], Any], case: str, **how: Mapping[str, Any]) -> None:
    report = run(broken, case, bound_s=BOUND_S, **how)
    [result] = report.results
    assert ("failed", case) == (result.outcome, result.case)
    assert result.reason


@pytest.mark.parametrize(
    ("broken", "case"), SOURCES, ids=lambda each: getattr(each, "__name__", "")
)
def test_the_source_fails(broken: Callable[[], Any], case: str, run: Run) -> None:
    """The case whose rule is broken fails, and says why."""
    check(run, broken, case)


@pytest.mark.parametrize(
    ("broken", "case"), CONSUMERS, ids=lambda each: getattr(each, "__name__", "")
)
def test_the_consumer_fails(broken: Callable[[], Any], case: str, run: Run) -> None:
    """The case whose rule is broken fails, and says why."""
    check(run, broken, case)
