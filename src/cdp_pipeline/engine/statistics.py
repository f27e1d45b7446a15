"""Counters of a run, read by progress displays, summaries and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True)
class StageStatistics:
    """What one stage has done so far.

    Attributes:
        name: The stage.
        rows_in: Rows handed to it.
        rows_out: Rows it gave (a consumer: rows it took).
        dropped: Rows left out on purpose, by instruction or by policy.
        failed: Errors met, also those that a retry mended.
        retried: Repetitions.
        dead_lettered: Rows put among the dead letters.
        busy_s: Seconds spent in the plugin, summed over workers.
        by_type: Rows taken, by message type (consumers only).
        drop_reasons: Dropped rows by the reason their author gave.
    """

    name: str
    plugin: str = ""
    kind: str = "processor"
    rows_in: int = 0
    rows_out: int = 0
    dropped: int = 0
    failed: int = 0
    retried: int = 0
    dead_lettered: int = 0
    busy_s: float = 0.0
    by_type: dict[str, int] = field(default_factory=dict)
    drop_reasons: dict[str, int] = field(default_factory=dict)

    def count_drops(self, reason: str, rows: int = 1) -> None:
        """Count *rows* left out for *reason*."""
        self.dropped += rows
        self.drop_reasons[reason] = self.drop_reasons.get(reason, 0) + rows


@dataclass(slots=True)
class RunStatistics:
    """What a whole run has done so far.

    Attributes:
        source: Name of the source.
        unit: What positions count, e.g. ``ledgers``.
        first: First position of the range, if known.
        last: Last position of a bounded range.
        resumed_from: The position this run went on from, or None for a fresh start.
        rows_read: Rows the source gave.
        size_bytes_read: Bytes of their payloads.
        position: Position of the newest row read.
        last_event_s: Time of the newest row, seconds since 1970, if the source tells.
        checkpoint: Position through which everything is durable.
        stages: One entry a stage, in order.
        started_s: Monotonic time at which the run began.
    """

    source: str
    unit: str = "rows"
    first: int | None = None
    last: int | None = None
    resumed_from: int | None = None
    rows_read: int = 0
    size_bytes_read: int = 0
    position: int | None = None
    checkpoint: int | None = None
    stages: list[StageStatistics] = field(default_factory=list)
    started_s: float = field(default_factory=monotonic)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return monotonic() - self.started_s
