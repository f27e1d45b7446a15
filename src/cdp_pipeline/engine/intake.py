"""Pull a source: one batch after another, from where the last run ended."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import aclosing

from cdp_pipeline.engine.durability import Durability
from cdp_pipeline.engine.parcel import Outlet, Parcel, Part
from cdp_pipeline.engine.policy import delay_s
from cdp_pipeline.engine.stage import StageFailed, StageSpec
from cdp_pipeline.engine.statistics import RunStatistics
from cdpplugin import Fatal, Resume, Retry, Source, SourceBatch
from cdpplugin.function import as_plugin_error


class Intake:
    """A source at work. It reads no further than the bounded edges have room for."""

    def __init__(
        self,
        spec: StageSpec,
        source: Source,
        resume: Resume | None,
        outlet: Outlet,
        durability: Durability,
        statistics: RunStatistics,
    ) -> None:
        self._spec = spec
        self._source = source
        self._resume = resume
        self._outlet = outlet
        self._durability = durability
        self._statistics = statistics
        self._mark = resume.position if resume else -1
        self._seen = self._mark

    async def run(self) -> None:
        """Read until the stream ends; a source that asks for a retry is read again.

        Raises:
            StageFailed: The source cannot go on.
        """
        attempt = 0
        while True:
            before = self._mark
            try:
                return await self._read()
            except Exception as caught:
                error = as_plugin_error(caught)
            attempt = 1 if self._mark > before else attempt + 1
            if not isinstance(error, Retry) or attempt > self._spec.on_error.attempts:
                raise StageFailed(self._spec, error, None) from error
            await asyncio.sleep(delay_s(self._spec.on_error, attempt, error.after_s))

    async def _read(self) -> None:
        stream = self._source.read(self._resume)
        async with aclosing(stream):  # type: ignore[type-var]
            async for source_batch in stream:
                await self._take(source_batch)

    async def _take(self, source_batch: SourceBatch) -> None:
        part = Part(source_batch.batch, source_batch.positions)
        fresh = self._fresh(part)
        mark = max(self._mark, -1 if source_batch.mark is None else source_batch.mark)
        if not len(fresh.batch) and mark == self._mark:
            return
        self._count(fresh)
        self._mark = mark
        self._durability.note_token(mark, source_batch.token)
        self._resume = Resume(mark, source_batch.token) if mark >= 0 else None
        await self._outlet.put(Parcel([fresh] if len(fresh.batch) else [], mark))

    def _fresh(self, part: Part) -> Part:
        """Return *part* without the rows at or before the mark, which have been read."""
        positions = part.positions
        if len(positions) and positions[-1] < self._seen and positions[-1] > self._mark:
            raise Fatal(
                f"positions must never decrease, got {positions[-1]} after {self._seen}",
                code="source.position_decreased",
                hint="this is a fault of the source plugin; tell its author",
            )
        first = bisect_right(positions, self._mark)
        return part.slice(first, len(positions)) if first else part

    def _count(self, part: Part) -> None:
        if not len(part.batch):
            return
        self._seen = part.positions[-1]
        self._statistics.rows_read += len(part.batch)
        self._statistics.size_bytes_read += part.batch.payloads.size_bytes
        self._statistics.position = self._seen
