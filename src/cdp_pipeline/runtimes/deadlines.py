"""How long a plugin may take: per message, so a batch may take longer, but not for ever."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TIMEOUT_S = 30.0
BATCH_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines of one plugin.

    Attributes:
        message_s: Longest time for one message, in seconds (`limits.timeout`).
        batch_limit_s: Longest time for a batch of any size, unless one message may take longer.
    """

    message_s: float = DEFAULT_TIMEOUT_S
    batch_limit_s: float = BATCH_LIMIT_S

    def batch_s(self, rows: int) -> float:
        """Return the longest time for a batch of *rows* messages, in seconds."""
        return max(self.message_s, min(self.message_s * rows, self.batch_limit_s))

    @property
    def durable_s(self) -> float:
        """The longest time in which a consumer makes things durable, in seconds."""
        return max(self.message_s, self.batch_limit_s)
