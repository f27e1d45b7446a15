"""How a plugin's process came to its end, in words."""

from __future__ import annotations

import signal
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended.

    Attributes:
        status: Its exit status, or None where a signal ended it.
        signal_number: The signal that ended it, or None.
        reason: What else is known, in words.
    """

    status: int | None = None
    signal_number: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        words = self._words()
        return f"{words} ({self.reason})" if self.reason and words else words or self.reason

    def _words(self) -> str:
        if self.signal_number is not None:
            return f"was ended by {_signal_name(self.signal_number)}"
        return f"exited with status {self.status}" if self.status is not None else ""


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"signal {number} ({name})"


def with_last_lines(message: str, lines: list[str]) -> str:
    """Return *message* followed by the last lines that a plugin printed, indented."""
    if not lines:
        return f"{message}; it printed nothing"
    return "\n".join([f"{message}; the last it printed:", *(f"  | {line}" for line in lines)])
