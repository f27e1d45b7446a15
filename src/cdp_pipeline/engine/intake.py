"""Pull a source: one batch after another, from where the last run ended."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import aclosing

from cdp_pipeline.engine.durability import Durability
from cdp_pipeline.engine.identity import SourceIds
from cdp_pipeline.engine.parcel import Outlet, Parcel, Part
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import StageFailed, StageSpec
from cdp_pipeline.engine.statistics import RunStatistics
from cdpplugin import Fatal, Resume, Retry, Source, SourceBatch
from cdpplugin.function import as_plugin_error

_REPLACED = "plugin.replaced"
"""Code of a `Retry` that is no failure: another instance goes on where this one was."""


class Intake:
    """A source at work. It reads no further than the bounded edges have room for.

    While *flowing* is not set, nothing that it reads goes on.
    """

    def __init__(
        self,
        spec: StageSpec,
        source: Source,
        resume: Resume | None,
        outlet: Outlet,
        durability: Durability,
        statistics: RunStatistics,
        patience: Patience,
        flowing: asyncio.Event,
    ) -> None:
        self._patience = patience
        self._flowing = flowing
        self._spec = spec
        self._source = source
        self._resume = resume
        self._outlet = outlet
        self._durability = durability
        self._statistics = statistics
        self._mark = resume.position if resume else -1
        self._token = resume.token if resume else b""
        self._ids = SourceIds(spec.name)
        self._ahead: list[int] = []
        self._floor = 0
        self._skip = 0

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
            if error.code == _REPLACED and isinstance(error, Retry):
                continue
            attempt = 1 if self._mark > before else attempt + 1
            if not isinstance(error, Retry) or attempt > self._spec.on_error.attempts:
                raise StageFailed(self._spec, error, None) from error
            await self._patience.wait(self._spec, attempt, error)

    async def _read(self) -> None:
        self._floor, self._skip = 0, len(self._ahead)
        stream = self._source.read(self._resume)
        async with aclosing(stream):  # type: ignore[type-var]
            async for source_batch in stream:
                await self._take(source_batch)

    async def _take(self, source_batch: SourceBatch) -> None:
        await self._flowing.wait()
        self._check(source_batch)
        fresh = self._fresh(Part(source_batch.batch, source_batch.positions))
        mark = max(self._mark, -1 if source_batch.mark is None else source_batch.mark)
        if not len(fresh.batch) and mark == self._mark:
            return
        self._count(fresh)
        self._mark = mark
        self._ahead += fresh.positions
        del self._ahead[: bisect_right(self._ahead, mark)]
        self._token = source_batch.token or self._token
        self._durability.note_token(mark, source_batch.token)
        self._resume = Resume(mark, self._token) if mark >= 0 else None
        await self._outlet.put(Parcel([fresh] if len(fresh.batch) else [], mark))

    def _check(self, source_batch: SourceBatch) -> None:
        """Refuse what would be lost: rows at or before what this reading called complete.

        Raises:
            Fatal: The source breaks its promise.
        """
        positions, rows = source_batch.positions, len(source_batch.batch)
        if len(positions) != rows:
            raise _at_fault(f"expected {rows} positions, one a row, got {len(positions)}")
        if rows:
            first, last = positions[0], positions[-1]
            if first < self._floor:
                raise _at_fault(f"expected positions of {self._floor} or more, got {first}")
            if not isinstance(positions, range) and list(positions) != sorted(positions):
                raise _at_fault(f"expected positions that never decrease from {first} to {last}")
            self._floor = last
        if source_batch.mark is not None:
            self._floor = max(self._floor, source_batch.mark + 1)

    def _fresh(self, part: Part) -> Part:
        """Return *part* without the rows that have been taken before, with ids."""
        rows = len(part.batch)
        first = bisect_right(part.positions, self._mark)
        again = min(self._skip, rows - first)
        self._skip -= again
        fresh = part.slice(first + again, rows) if first + again else part
        return Part(self._ids.of(fresh.batch, fresh.positions), fresh.positions)

    def _count(self, part: Part) -> None:
        if not len(part.batch):
            return
        self._statistics.rows_read += len(part.batch)
        self._statistics.size_bytes_read += part.batch.payloads.size_bytes
        self._statistics.position = part.positions[-1]


def _at_fault(message: str) -> Fatal:
    return Fatal(
        message,
        code="source.position_decreased",
        hint="this is a fault of the source plugin; tell its author",
    )
