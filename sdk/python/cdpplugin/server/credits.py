"""Credits: how many more batches may be sent before the other side has granted more."""

from __future__ import annotations

import asyncio


class Credits:
    """Counts what may still be sent; whoever sends waits here for more."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._closed = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def grant(self, count: int) -> None:
        """Allow *count* more."""
        self._count += count
        self._changed.set()

    def close(self, error: Exception | None = None) -> None:
        """Say that no more will be granted, and why, if that is an error."""
        self._closed = True
        self._error = error
        self._changed.set()

    async def take(self) -> bool:
        """Take one, waiting for it; False when none will come any more.

        Raises:
            Exception: What `close` was given.
        """
        while True:
            if self._error is not None:
                raise self._error
            if self._count:
                self._count -= 1
                return True
            if self._closed:
                return False
            self._changed.clear()
            await self._changed.wait()
