"""Keep standard output for the messages of a run, whatever a plugin prints.

While a pipeline runs, stdout belongs to the consumer of that name: what Python code prints
becomes log lines, and what native code writes to file descriptor 1 goes to stderr.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import BinaryIO

_LONGEST = 64 << 10
"""Characters of a line that never ends, after which it is logged as it is."""


class PrintedLines(io.TextIOBase):
    """Stands for `sys.stdout`: text becomes log lines, bytes go to the real output.

    Attributes:
        buffer: The real standard output.
    """

    def __init__(self, buffer: BinaryIO) -> None:
        self.buffer = buffer
        self._unfinished = ""
        self._lock = Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding that printing code may ask for."""
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.buffer.fileno()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, rest = (self._unfinished + text).split("\n")
            if len(rest) > _LONGEST:
                lines, rest = [*lines, rest], ""
            self._unfinished = rest
        for line in lines:
            _log(line)
        return len(text)

    def finish(self) -> None:
        """Log what was printed without a line end."""
        with self._lock:
            line, self._unfinished = self._unfinished, ""
        _log(line)


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Keep standard output for `sys.stdout.buffer` alone inside the block."""
    before = sys.stdout
    try:
        before.flush()
        original = os.dup(1)
    except (AttributeError, OSError, ValueError):
        yield
        return
    with suppress(OSError):
        os.dup2(2, 1)
    printed = PrintedLines(os.fdopen(os.dup(original), "wb"))
    sys.stdout = printed
    try:
        yield
    finally:
        printed.finish()
        sys.stdout = before
        with suppress(OSError, ValueError):
            printed.buffer.close()
        os.dup2(original, 1)
        os.close(original)


def _log(line: str) -> None:
    from cdp_pipeline.observability.logs import logger

    if line.strip():
        logger(stream="stdout").info(line)
