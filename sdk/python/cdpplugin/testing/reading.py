"""Read a source as the host does, and check what it gives on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from cdpplugin.delivery import Resume, SourceBatch
from cdpplugin.testing.case import require

BATCHES = 200
"""A source that gives more than this is unbounded, as far as the suite is concerned."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read: where it stands and what it is."""

    position: int
    id: str
    type: str
    payload: bytes

    @property
    def identity(self) -> tuple[Any, ...]:
        """What stays the same when the row is read again."""
        return (self.position, self.type, self.id or self.payload)


@dataclass(slots=True)
class Reading:
    """What a source gave until it ended, or until enough was seen.

    Attributes:
        batches: In the order they came.
        ended: Whether the source ended its stream.
    """

    batches: list[SourceBatch] = field(default_factory=list)
    ended: bool = False

    def rows(self, after: int | None = None) -> list[Row]:
        """Return the rows beyond position *after*."""
        rows = [row for batch in self.batches for row in rows_of(batch)]
        return [row for row in rows if after is None or row.position > after]

    @property
    def mark(self) -> int | None:
        """The last completed-through mark."""
        marks = [batch.mark for batch in self.batches if batch.mark is not None]
        return marks[-1] if marks else None

    def resume(self, count: int) -> Resume | None:
        """Return where to go on after the first *count* batches, as a host keeps it."""
        seen = self.batches[:count]
        marks = [batch.mark for batch in seen if batch.mark is not None]
        if not marks:
            return None
        tokens = [batch.token for batch in seen if batch.token]
        return Resume(marks[-1], tokens[-1] if tokens else b"")


def rows_of(found: SourceBatch) -> Iterator[Row]:
    """Yield the rows of one batch."""
    batch, payloads = found.batch, found.batch.payloads
    texts = payloads.wire_rows() if payloads.encoding != "arrow" else [b""] * len(batch)
    for index, position in enumerate(found.positions):
        yield Row(position, batch.ids[index], batch.types[index], texts[index])


async def read(
    handle: Any, after: Resume | None = None, *, patience_s: float, batches: int = BATCHES
) -> Reading:
    """Read until the source ends, gives *batches* batches, or nothing for *patience_s*.

    Raises:
        Failed: Positions decrease, a mark is not kept, or a batch does not fit together.
    """
    reading = Reading()
    stream = handle.read(after)
    async with aclosing(stream):
        while len(reading.batches) < batches:
            found = await _next(stream, patience_s)
            if found is None or found is _NOTHING:
                reading.ended = found is None
                break
            _check(found, reading.batches[-1:], reading.mark)
            reading.batches.append(found)
    return reading


_NOTHING: Any = object()


async def _next(stream: AsyncIterator[SourceBatch], patience_s: float) -> Any:
    """Return the next batch, None at the end, `_NOTHING` where none comes in time."""
    try:
        async with asyncio.timeout(patience_s):
            return await anext(stream, None)
    except TimeoutError:
        return _NOTHING


def _check(found: Any, before: list[SourceBatch], mark: int | None) -> None:
    require(isinstance(found, SourceBatch), f"read gave {type(found).__name__}")
    positions = list(found.positions)
    held = len(found.batch)
    require(len(positions) == held, f"{held} rows have {len(positions)} positions")
    require(positions == sorted(positions), f"positions decrease within a batch: {positions[:20]}")
    if positions and before and len(before[0].positions):
        last = before[0].positions[-1]
        require(positions[0] >= last, f"position {positions[0]} comes after position {last}")
    if positions and mark is not None:
        late = f"position {positions[0]} comes after the mark {mark} was given"
        require(positions[0] > mark, late)
    if found.mark is not None and mark is not None:
        require(found.mark >= mark, f"the mark {found.mark} comes after the mark {mark}")
