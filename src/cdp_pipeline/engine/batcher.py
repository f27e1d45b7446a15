"""Cut a stream of parcels into batches by count, bytes and linger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from cdp_pipeline.engine.parcel import Edge, Parcel, Part, merge


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may grow, and how long it may wait to grow.

    Attributes:
        rows: Most rows in one batch.
        size_bytes: Most bytes in one batch; a single larger row goes alone.
        linger_s: How long a batch that is not full waits for more, in seconds. With 0 it
            takes what is already waiting and goes.
    """

    rows: int = 1000
    size_bytes: int = 4 << 20
    linger_s: float = 0.0


def cut(part: Part, limits: BatchLimits) -> Iterator[Part]:
    """Yield *part* in pieces within *limits*, cut as if its rows were equally large at first."""
    rows = len(part.batch)
    by_bytes = max(1, limits.size_bytes * rows // max(1, part.batch.size_bytes))
    step = min(limits.rows, by_bytes)
    if step >= rows:
        yield part
        return
    for start in range(0, rows, step):
        yield from _halved(part.slice(start, min(start + step, rows)), limits.size_bytes)


def _halved(part: Part, size_bytes: int) -> Iterator[Part]:
    """Yield *part*, halved while a few large rows make it larger than *size_bytes*."""
    rows = len(part.batch)
    if rows == 1 or part.batch.size_bytes <= size_bytes:
        yield part
        return
    middle = rows // 2
    yield from _halved(part.slice(0, middle), size_bytes)
    yield from _halved(part.slice(middle, rows), size_bytes)


class Batcher:
    """Gathers parcels until a batch is full or has waited long enough."""

    def __init__(self, edge: Edge, limits: BatchLimits) -> None:
        self._edge = edge
        self._limits = limits
        self._pending: list[Parcel] = []
        self._rows = 0
        self._size_bytes = 0

    async def parcels(self) -> AsyncIterator[Parcel]:
        """Yield parcels whose parts are within the limits, until the stream ends."""
        while (parcel := await self._edge.get()) is not None:
            self._add(parcel)
            ended = await self._gather()
            for ready in self._flush():
                yield ready
            if ended:
                return

    def _add(self, parcel: Parcel) -> None:
        self._pending.append(parcel)
        self._rows += parcel.rows
        self._size_bytes += parcel.size_bytes

    @property
    def _full(self) -> bool:
        return self._rows >= self._limits.rows or self._size_bytes >= self._limits.size_bytes

    async def _gather(self) -> bool:
        """Take what comes until the batch is full or lingered; True when the stream ended."""
        deadline = asyncio.get_running_loop().time() + self._limits.linger_s
        while not self._full:
            try:
                parcel = await self._next(deadline)
            except TimeoutError:
                return False
            if parcel is None:
                return True
            self._add(parcel)
        return False

    async def _next(self, deadline: float) -> Parcel | None:
        if not self._edge.empty:
            return self._edge.get_nowait()
        if self._limits.linger_s <= 0:
            raise TimeoutError
        async with asyncio.timeout_at(deadline):
            return await self._edge.get()

    def _flush(self) -> Iterator[Parcel]:
        pending, self._pending = self._pending, []
        self._rows = self._size_bytes = 0
        parts = [part for parcel in pending for part in parcel.parts if len(part.batch)]
        pieces = [piece for part in merge(parts) for piece in cut(part, self._limits)]
        yield from _loads(pieces, pending[-1].completed_through, self._limits.rows)


def _loads(pieces: list[Part], mark: int, rows: int) -> Iterator[Parcel]:
    """Yield *pieces* in parcels of at most *rows* rows; only the last carries *mark*.

    The others carry the position just before the first of the rows: all that is sure
    while some of these rows are still to come.
    """
    floor = min([mark, *(piece.positions[0] - 1 for piece in pieces)])
    load: list[Part] = []
    for piece in pieces:
        if load and sum(len(held.batch) for held in load) + len(piece.batch) > rows:
            yield Parcel(load, floor)
            load = []
        load.append(piece)
    yield Parcel(load, mark)
