"""What crosses the two ends of a pipeline: source batches in, deliveries out.

Positions are the host's: whole numbers that never decrease along a stream (a ledger
sequence, a line number). Every row carries the position of the source row it derives
from. A *completed-through* mark says that every row at or before that position has
come; it advances even when all rows were dropped on the way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdpplugin.batch import Batch


@dataclass(frozen=True, slots=True)
class Context:
    """What a plugin is told at its start.

    Attributes:
        pipeline: Name of the pipeline; an exactly-once consumer keys its position by it.
        stage: Name of the stage within the pipeline, unique there.
        network: The network's passphrase, or empty where none is configured.
        schemas: JSON Schema of the payload of each message type that may come, as far as
            the stages before have declared them.
    """

    pipeline: str = ""
    stage: str = ""
    network: str = ""
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a source goes on: with the first row after `position`.

    Attributes:
        position: Everything at or before it is durable at every consumer.
        token: The last token the source gave at or before that position, or empty. It
            may lie earlier than `position`; the host drops rows that come again.
    """

    position: int
    token: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What a source reads at once.

    Attributes:
        batch: The messages.
        positions: The position of each, never decreasing, also from batch to batch.
        completed_through: All rows at or before it have been read; None means the last
            position of this batch (no position is split over two batches).
        token: Anything the source needs to go on after this batch, opaque to the host.
    """

    batch: Batch
    positions: Sequence[int]
    completed_through: int | None = None
    token: bytes = b""

    @property
    def mark(self) -> int | None:
        """The completed-through mark, or None for an empty batch without one."""
        if self.completed_through is not None:
            return self.completed_through
        return self.positions[-1] if len(self.positions) else None


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """What a source knows of its stream once it has started.

    Attributes:
        identity: Names the stream, not the place it is read from: a checkpoint made on
            one stream is refused on another.
        network: The network's passphrase, or empty.
        unit: What a position counts, plural, for people: ``ledgers``, ``lines``.
        first: First position of the range, if it is known.
        last: Last position of a bounded range, else None.
        start: The start as it was configured, in words; a resumed run must have the same.
    """

    identity: str
    network: str = ""
    unit: str = "rows"
    first: int | None = None
    last: int | None = None
    start: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a consumer is handed at once.

    Attributes:
        batch: The messages; may be empty, when only the mark advances.
        positions: The position of each, never decreasing.
        completed_through: Every row at or before it has been handed over with this
            delivery at the latest.
    """

    batch: Batch
    positions: Sequence[int]
    completed_through: int

    def after(self, position: int) -> Delivery:
        """Return this delivery without the rows at or before *position*."""
        first = bisect_right(self.positions, position)
        if first == 0:
            return self
        return Delivery(
            self.batch.slice(first, len(self.batch)),
            self.positions[first:],
            self.completed_through,
        )
