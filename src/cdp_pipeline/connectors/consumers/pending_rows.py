"""Rows that wait for their file: Arrow all the way, cut between positions."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from cdp_pipeline.connectors.tables import check_schema

_SMALL_BYTES = 1 << 20
_SMALL_CHUNKS = 64
SETTLED = 0
_NONE = 2**63


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that came together.

    Attributes:
        rows: The rows.
        positions: The position of each, never decreasing.
        delivery: Number of the delivery that brought them; `SETTLED` when several did.
        size_bytes: Memory the rows take.
    """

    rows: pa.RecordBatch
    positions: array[int]
    delivery: int
    size_bytes: int

    @classmethod
    def of(cls, rows: pa.RecordBatch, positions: Sequence[int], delivery: int) -> Chunk:
        """Hold *rows*; the positions are copied to 8 bytes each."""
        held = positions if isinstance(positions, array) else array("q", positions)
        return cls(rows, held, delivery, int(rows.nbytes))

    def between(self, first: int, last: int) -> Chunk | None:
        """Return the rows at positions *first* to *last* (inclusive), or None if none."""
        start, stop = bisect_left(self.positions, first), bisect_right(self.positions, last)
        if start >= stop:
            return None
        if stop - start == len(self.positions):
            return self
        rows = self.rows.slice(start, stop - start)
        return Chunk.of(rows, self.positions[start:stop], self.delivery)


@dataclass(frozen=True, slots=True)
class Piece:
    """What becomes one file: every row at positions *first* to *last*, of one schema."""

    first: int
    last: int
    rows: pa.Table


class PendingRows:
    """The rows of one folder that are in no file yet.

    Attributes:
        rows: How many.
        size_bytes: Memory they take.
        first: The least position that waits.
        last: The greatest.
        since_s: When the oldest of them came, on the owner's clock.
        tried: Where the last attempt to write a file cut; the next one must cut there too,
            because a store may have kept a file although it answered with an error.
    """

    def __init__(self, type: str) -> None:  # noqa: A002
        self._type = type
        self._chunks: list[Chunk] = []
        self.rows = 0
        self.size_bytes = 0
        self.first = _NONE
        self.last = -1
        self.since_s = 0.0
        self.tried: int | None = None

    def check(self, schema: pa.Schema, first: int) -> None:
        """See whether rows of *schema* can come in from position *first* on.

        Raises:
            SchemaChanged: The columns changed within a position, which no file can hold.
        """
        if self._chunks and first <= self.last:
            check_schema(self._type, self._chunks[-1].rows.schema, schema)

    def add(self, chunk: Chunk, now_s: float) -> None:
        """Take rows in."""
        if not self._chunks:
            self.since_s = now_s
        self._gather(chunk.delivery)
        self._chunks.append(chunk)
        self._count(chunk)

    def _gather(self, delivery: int) -> None:
        """Copy many small chunks into one, so that tiny deliveries cost no more than big ones."""
        tail: list[Chunk] = []
        for chunk in reversed(self._chunks[-_SMALL_CHUNKS:]):
            if chunk.delivery in (SETTLED, delivery) or chunk.size_bytes > _SMALL_BYTES:
                return
            tail.insert(0, chunk)
        ordered = all(a.positions[-1] <= b.positions[0] for a, b in pairwise(tail))
        same = all(chunk.rows.schema.equals(tail[0].rows.schema) for chunk in tail)
        if len(tail) < _SMALL_CHUNKS or not ordered or not same:
            return
        positions = array("q")
        for chunk in tail:
            positions.extend(chunk.positions)
        rows = pa.concat_batches([_as(tail[0].rows.schema, chunk.rows) for chunk in tail])
        gathered = Chunk.of(rows, positions, SETTLED)
        self.size_bytes += gathered.size_bytes - sum(chunk.size_bytes for chunk in tail)
        self._chunks[-_SMALL_CHUNKS:] = [gathered]

    def drop_delivery(self, delivery: int) -> None:
        """Forget the rows that a delivery brought: it will come again."""
        self._keep([chunk for chunk in self._chunks if chunk.delivery != delivery])

    def drop_through(self, last: int, now_s: float) -> None:
        """Forget the rows at or before *last*: they are in a file."""
        kept = (chunk.between(last + 1, chunk.positions[-1]) for chunk in self._chunks)
        self._keep([chunk for chunk in kept if chunk is not None])
        self.since_s = now_s

    def _keep(self, chunks: list[Chunk]) -> None:
        self._chunks = chunks
        self.rows = self.size_bytes = 0
        self.first, self.last = _NONE, -1
        for chunk in chunks:
            self._count(chunk)

    def _count(self, chunk: Chunk) -> None:
        self.rows += len(chunk.positions)
        self.size_bytes += chunk.size_bytes
        self.first = min(self.first, chunk.positions[0])
        self.last = max(self.last, chunk.positions[-1])

    def row_position(self, number: int) -> int:
        """Return the position of row *number*, counted from 0 in the order of arrival."""
        for chunk in self._chunks:
            if number < len(chunk.positions):
                return chunk.positions[number]
            number -= len(chunk.positions)
        raise IndexError(number)

    def pieces(self, last: int) -> Iterator[Piece]:
        """Yield the rows at or before *last*, in order; a new piece where the schema changes."""
        found = (chunk.between(chunk.positions[0], last) for chunk in self._chunks)
        runs: list[list[Chunk]] = []
        for chunk in found:
            if chunk is None:
                continue
            if not runs or not runs[-1][0].rows.schema.equals(chunk.rows.schema):
                runs.append([])
            runs[-1].append(chunk)
        firsts = [min(chunk.positions[0] for chunk in run) for run in runs]
        for run, first, following in zip(runs, firsts, [*firsts[1:], last + 1], strict=True):
            schema = run[0].rows.schema
            table = pa.Table.from_batches([_as(schema, chunk.rows) for chunk in run], schema)
            yield Piece(first, following - 1, table)


def _as(schema: pa.Schema, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Give equal columns the very same schema, which may differ in its free metadata."""
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)
