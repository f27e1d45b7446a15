"""An event loop that waits for nothing but time: a component has no sockets and no threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from cdpplugin.errors import PluginError

T = TypeVar("T")


class Loop(asyncio.BaseEventLoop):
    """Runs coroutines, one call from outside at a time.

    Where the machine's clock may not be seen a sleep ends at once; the loop's own clock then
    moves on by it, so that what was to happen later happens in its order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._selector = self
        self._ahead_s = 0.0

    def time(self) -> float:
        """Return the loop's time, in seconds."""
        return time.monotonic() + self._ahead_s

    def select(self, timeout: float | None) -> list[Any]:
        """Wait for the next timer; called by the loop when nothing else is to be done."""
        if timeout is None:
            raise PluginError(
                "an async function waits for something that nobody will ever give it",
                hint="a component has no threads and no sockets; wait for timers and tasks only",
            )
        if timeout > 0:
            begun = time.monotonic()
            time.sleep(timeout)
            self._ahead_s += max(0.0, timeout - (time.monotonic() - begun))
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are none."""

    def _write_to_self(self) -> None:
        """Do nothing: nobody else could wake the loop."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Call *func* at once, as there are no threads; `asyncio.to_thread` comes here."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* gives."""
        try:
            return self.run_until_complete(work)
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Cancel what a call that failed has left waiting."""
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            with suppress(PluginError):
                self.run_until_complete(asyncio.wait(left))

    def __del__(self) -> None:
        """Do nothing: a loop that holds neither sockets nor threads need not be closed."""
