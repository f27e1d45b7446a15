"""When rows become a file, and where the file ends.

Limits by position and by row count depend on the stream alone: however it is cut into
deliveries, the files are the same. Limits by size and age follow what happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdp_pipeline.connectors.consumers.pending_rows import PendingRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The limits of one file.

    Attributes:
        max_rows: Rows; passed only by a position that alone has more.
        max_bytes: Bytes in memory.
        max_positions: Files end where a multiple of this begins.
        partition_positions: Likewise, for folders by range; 0 for none.
        max_age_s: Seconds since the first row came.
    """

    max_rows: int
    max_bytes: int
    max_positions: int
    max_age_s: float
    partition_positions: int = 0

    def cut(self, pending: PendingRows, mark: int, now_s: float) -> int | None:
        """Return the last position of the file that is due, or None while none is.

        Args:
            pending: The rows.
            mark: The last position that is whole.
            now_s: The time on the clock that `pending.since_s` is of.
        """
        if not pending.rows or pending.first > mark:
            return None
        end = self._end_by_stream(pending)
        if end <= mark:
            return end
        aged = now_s - pending.since_s >= self.max_age_s
        return mark if aged or pending.size_bytes >= self.max_bytes else None

    def _end_by_stream(self, pending: PendingRows) -> int:
        first = pending.first
        end = last_before_multiple(first, self.max_positions)
        if self.partition_positions:
            end = min(end, last_before_multiple(first, self.partition_positions))
        if pending.rows > self.max_rows:
            end = min(end, max(first, pending.row_position(self.max_rows) - 1))
        return end


def last_before_multiple(position: int, step: int) -> int:
    """Return the last position before the next multiple of *step*."""
    return (position // step + 1) * step - 1
