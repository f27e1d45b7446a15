"""A source may read again and cut anyhow, but nothing is lost, doubled or believed too early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from cdp_pipeline.testing import MemoryConsumer, ScriptedSource
from cdpplugin import (
    Base,
    Batch,
    PluginMetadata,
    Resume,
    Retry,
    SourceBatch,
    SourceDescription,
)
from tests.engine.conftest import Bench, numbers


def lagging(positions: Sequence[int], mark: int, token: bytes = b"") -> SourceBatch:
    """A batch whose mark lies behind its rows."""
    rows = Batch.of("T", list(positions), ids=[f"t:{p}" for p in positions])
    return SourceBatch(rows, list(positions), mark, token)


class Replaying(Base):
    """Reads rows whose marks lag behind; breaks off once, then goes on as `Resume` says."""

    def __init__(self) -> None:
        self.resumes: list[Resume | None] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("replaying", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="replaying")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        self.resumes.append(after)
        start = after.position + 1 if after else 1
        for first in range(start, 13, 3):
            if len(self.resumes) == 1 and first == 10:
                raise Retry("connection lost")
            yield lagging(
                range(first, min(first + 3, 13)), max(first - 2, start - 1), b"t%d" % first
            )
        yield SourceBatch(Batch.empty(), (), 12)


class TestReplay:
    async def test_rows_beyond_the_mark_are_not_taken_twice(self, bench: Bench) -> None:
        """A source read again from its mark gives rows again that were already handed on."""
        source, consumer = Replaying(), MemoryConsumer()
        outcome = await bench.run(source, consumer)

        assert [] == outcome.failures
        assert list(range(1, 13)) == [position for position, *_ in consumer.rows]
        assert 12 == bench.position

    async def test_a_retry_goes_on_with_the_last_token(self, bench: Bench) -> None:
        """A batch without a token does not take away the one before it."""
        bare = lagging([3, 4], 4)
        source = ScriptedSource([lagging([1, 2], 2, b"two"), bare, Retry("lost")])
        await bench.run(source, MemoryConsumer())

        assert [None, Resume(4, b"two")] == source.resumes

    async def test_a_resumed_source_keeps_its_token(self, bench: Bench) -> None:
        """A source that fails at once is read again from where it was to go on."""
        source = ScriptedSource([Retry("lost"), *numbers(4, 5)])
        await bench.run(source, MemoryConsumer(), resume=Resume(3, b"three"))

        assert [Resume(3, b"three")] * 2 == source.resumes


class TestFaultySources:
    @pytest.mark.parametrize(
        "script",
        [
            pytest.param([lagging([5], 5), lagging([5], 6)], id="a position split in silence"),
            pytest.param([lagging([1], 9), lagging([4], 10)], id="behind its own mark"),
            pytest.param([lagging([5, 4], 5)], id="falling within a batch"),
            pytest.param([lagging([5], 3), lagging([4], 6)], id="falling between batches"),
            pytest.param([lagging([-1], 5)], id="negative"),
            pytest.param([SourceBatch(Batch.of("T", [1, 2]), [1])], id="a position missing"),
        ],
    )
    async def test_rows_that_would_be_lost_stop_the_run(
        self, bench: Bench, script: list[SourceBatch]
    ) -> None:
        """A source that breaks its promise is told so; its rows do not vanish."""
        outcome = await bench.run(ScriptedSource(script), MemoryConsumer())

        assert ["source.position_decreased"] == [f.error.code for f in outcome.failures]

    async def test_a_position_split_over_batches_is_kept_whole(self, bench: Bench) -> None:
        """A position may be split over batches, where its mark waits for the last of them."""
        consumer = MemoryConsumer()
        script = [lagging([1, 2], 1), lagging([2], 1), lagging([2], 2)]
        outcome = await bench.run(ScriptedSource(script), consumer)

        assert [] == outcome.failures
        assert [1, 2, 2, 2] == [position for position, *_ in consumer.rows]
