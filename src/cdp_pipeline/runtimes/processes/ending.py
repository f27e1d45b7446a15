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
        memory_bytes: The limit on memory that it exceeded, which is why it was ended; else None.
    """

    status: int | None = None
    signal_number: int | None = None
    reason: str = ""
    memory_bytes: int | None = None

    def __str__(self) -> str:
        words = self._words()
        if self.memory_bytes is not None:
            words = f"exceeded `limits.memory` ({_size(self.memory_bytes)}) and {words}"
        return f"{words} ({self.reason})" if self.reason and words else words or self.reason

    def _words(self) -> str:
        if self.signal_number is not None:
            return f"was ended by {_signal_name(self.signal_number)}"
        return f"exited with status {self.status}" if self.status is not None else ""


def _size(count: int) -> str:
    """Return a number of bytes in the largest unit that says it exactly."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


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
