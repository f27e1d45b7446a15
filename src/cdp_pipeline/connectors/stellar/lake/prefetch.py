"""Load things ahead of whoever reads them: in order, several at once, within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchLimits:
    """How far ahead to load.

    Attributes:
        parallel: Loads that run at the same time, at least 1.
        items: Items loaded or loading ahead of the reader, at least 1.
        size_bytes: Bytes held ahead of the reader; one item is always allowed.
    """

    parallel: int
    items: int
    size_bytes: int


class Prefetch(Generic[T]):
    """Loads item *n*, *n+1*, ... ahead of the reader.

    Invariant: items come out in order, whichever load ends first. The item
    that the reader waits for is always loading, whatever the limits say.
    """

    def __init__(
        self,
        load: Callable[[int], Coroutine[Any, Any, T]],
        size_of: Callable[[T], int],
        limits: PrefetchLimits,
    ) -> None:
        self._load = load
        self._size_of = size_of
        self._limits = limits
        self._queue: deque[asyncio.Task[T]] = deque()
        self._sizes: dict[asyncio.Task[T], int] = {}
        self._largest = 0
        self._next = 0
        self._last: int | None = None
        self._window = limits.items
        self._closed = False

    async def start(self, first: int, last: int | None, *, window: int | None = None) -> None:
        """Drop what is loading and begin at item *first*.

        Args:
            first: The first item.
            last: The last one, None for no end.
            window: Items ahead to begin with; it doubles with every item read. None for all.
        """
        await self._drop()
        self._next, self._last = first, last
        self._window = self._limits.items if window is None else window
        self._top_up()

    async def read(self) -> T:
        """Wait for the next item and return it; raise what its load raised."""
        self._top_up()
        task = self._queue[0]
        # Not `await task`: a cancelled reader must not cancel a load that `aclose` still owns.
        await asyncio.wait({task})
        self._queue.popleft()
        self._sizes.pop(task, None)
        self._window = min(self._window * 2, self._limits.items)
        self._top_up()
        return task.result()

    async def aclose(self) -> None:
        """Cancel every load and wait until none runs."""
        self._closed = True
        await self._drop()

    async def _drop(self) -> None:
        tasks = list(self._queue)
        self._queue.clear()
        self._sizes.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _top_up(self) -> None:
        while not self._closed and self._may_start():
            task = asyncio.create_task(self._load(self._next))
            self._next += 1
            self._queue.append(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[T]) -> None:
        if task.cancelled() or task.exception() is not None or task not in self._queue:
            return
        size = self._size_of(task.result())
        self._sizes[task] = size
        self._largest = max(size, self._largest * 9 // 10)
        self._top_up()

    def _may_start(self) -> bool:
        if self._last is not None and self._next > self._last:
            return False
        if not self._queue:
            return True
        running = sum(not task.done() for task in self._queue)
        # A load that just ended counts as one of unknown size until its size is noted.
        unknown = len(self._queue) - len(self._sizes)
        expected = sum(self._sizes.values()) + (unknown + 1) * self._largest
        return (
            running < self._limits.parallel
            and len(self._queue) < min(self._limits.items, self._window)
            and expected <= self._limits.size_bytes
        )
