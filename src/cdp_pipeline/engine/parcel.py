"""What moves between two stages: rows with their positions, and a completed-through mark."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from cdpplugin import Batch, Constant, JsonPayloads, concat
from cdpplugin.batch import concat_columns, slice_column, take_column


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that share one payload column, each with the position of its source row."""

    batch: Batch
    positions: Sequence[int]

    def slice(self, start: int, stop: int) -> Part:
        """Return rows *start* to *stop* (exclusive)."""
        return Part(self.batch.slice(start, stop), slice_column(self.positions, start, stop))


@dataclass(frozen=True, slots=True)
class Parcel:
    """Parts in order, and the position through which everything has now passed this point.

    Invariant 3: marks never decrease along an edge, and a mark is sent only after, or
    together with, every row at or before it.
    """

    parts: Sequence[Part]
    completed_through: int

    @property
    def rows(self) -> int:
        """Number of rows in all parts."""
        return sum(len(part.batch) for part in self.parts)

    @property
    def size_bytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.batch.size_bytes for part in self.parts)


class Edge:
    """A bounded queue of parcels between two stages; its last item is the end of the stream."""

    def __init__(self, capacity: int) -> None:
        self._queue: asyncio.Queue[Parcel | None] = asyncio.Queue(maxsize=capacity)
        self.ended = False

    async def put(self, parcel: Parcel | None) -> None:
        """Add *parcel* (None: the end), waiting while the edge is full."""
        await self._queue.put(parcel)

    async def get(self) -> Parcel | None:
        """Return the next parcel, or None at the end."""
        if self.ended:
            return None
        parcel = await self._queue.get()
        self.ended = parcel is None
        return parcel

    def get_nowait(self) -> Parcel | None:
        """Return the next parcel; only where `empty` is false."""
        parcel = self._queue.get_nowait()
        self.ended = parcel is None
        return parcel

    @property
    def empty(self) -> bool:
        """Whether nothing is waiting."""
        return self._queue.empty()

    async def discard(self) -> None:
        """Throw away what is still to come, so that nobody waits for room."""
        while await self.get() is not None:
            pass


class Outlet:
    """Where a stage puts its parcels: every edge that hangs on it gets each of them."""

    def __init__(self) -> None:
        self.edges: list[Edge] = []

    def connect(self, capacity: int) -> Edge:
        """Return a new edge of at most *capacity* waiting parcels."""
        edge = Edge(capacity)
        self.edges.append(edge)
        return edge

    async def put(self, parcel: Parcel | None) -> None:
        """Hand *parcel* to every edge, waiting where one is full."""
        for edge in self.edges:
            await edge.put(parcel)


def merge(parts: Iterable[Part]) -> list[Part]:
    """Return *parts* with those of one kind put together.

    Order is kept per type and position: a part joins an earlier one only where nothing of
    its types stands between them, and the rows of what was joined stand by position.
    """
    held = list(parts)
    kinds = [_kind(part.batch) for part in held]
    if len(set(kinds)) <= 1:
        return _join(held)
    groups: list[_Group] = []
    for kind, part in zip(kinds, held, strict=True):
        _group_for(groups, kind, part).parts.append(part)
    return list(chain.from_iterable(_join(group.parts) for group in groups))


@dataclass(slots=True)
class _Group:
    kind: object
    types: set[str] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)


def _group_for(groups: list[_Group], kind: object, part: Part) -> _Group:
    """Return the last group of *kind*, or a new one where a later group holds its types."""
    types = part.batch.types
    own = {types.value} if isinstance(types, Constant) else set(types)
    for group in reversed(groups):
        if group.kind == kind:
            group.types |= own
            return group
        if not own.isdisjoint(group.types):
            break
    groups.append(_Group(kind, own))
    return groups[-1]


def _kind(batch: Batch) -> object:
    if isinstance(batch.payloads, JsonPayloads):
        return batch.payloads.encoding
    types = batch.types
    return (type(batch.payloads), types.value if isinstance(types, Constant) else None)


def _join(parts: list[Part]) -> list[Part]:
    if len(parts) <= 1:
        return parts
    batch = concat([part.batch for part in parts])
    if batch is None:
        return parts
    positions = concat_columns([part.positions for part in parts])
    if all(one.positions[-1] <= other.positions[0] for one, other in pairwise(parts)):
        return [Part(batch, positions)]
    order = sorted(range(len(batch)), key=positions.__getitem__)
    return [Part(batch.take(order), take_column(positions, order))]
