"""Advance the checkpoint when, and only when, every consumer is durable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore

Acknowledge = Callable[[int], Awaitable[None]]


class Durability:
    """Gathers what consumers report and writes the checkpoint.

    Invariant 4: the checkpoint is the least of what all consumers reported as durable,
    never more; and it never goes back.
    """

    def __init__(
        self,
        store: CheckpointStore,
        checkpoint: Checkpoint,
        consumers: Sequence[str],
        acknowledge: Acknowledge,
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._acknowledge = acknowledge
        self._positions = dict.fromkeys(consumers, -1)
        self._tokens: deque[tuple[int, bytes]] = deque()
        self._saved = self._acknowledged = checkpoint.position
        self._saving = asyncio.Lock()

    @property
    def position(self) -> int:
        """Position through which every consumer is durable; -1 for nothing yet."""
        reported = min(self._positions.values())
        return max(reported, self._checkpoint.position)

    def report(self, consumer: str, position: int) -> None:
        """Take note that *consumer* is durable through *position*."""
        self._positions[consumer] = max(position, self._positions[consumer])

    def note_token(self, mark: int, token: bytes) -> None:
        """Remember that a source may go on with *token* after *mark*."""
        if token:
            self._tokens.append((mark, token))

    async def save(self) -> None:
        """Write the checkpoint if it has advanced, then tell the source.

        One at a time: an older checkpoint must not replace a newer one.

        Raises:
            StateError: checkpoint.unwritable.
        """
        async with self._saving:
            if self.position > self._saved:
                await self._write(self.position)
            if self._saved > self._acknowledged:
                await self._acknowledge(self._saved)
                self._acknowledged = self._saved

    async def _write(self, position: int) -> None:
        token = self._checkpoint.token
        while self._tokens and self._tokens[0][0] <= position:
            token = self._tokens.popleft()[1]
        self._checkpoint = self._checkpoint.advanced(position, token)
        await asyncio.to_thread(self._store.save, self._checkpoint)
        self._saved = position

    async def save_every(self, interval_s: float) -> None:
        """Save again and again until cancelled; what fails now may succeed the next time.

        A full disk may have room, a source may be there again to be told. What still fails
        at the end of the run is raised by the last `save`.
        """
        while True:
            await asyncio.sleep(interval_s)
            with suppress(Exception):
                await self.save()
