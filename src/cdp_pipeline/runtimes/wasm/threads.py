"""Threads on which guests run: as many as calls may run at once, with little around each call.

A guest that is stuck inside of a host function is ended by no clock: it is given up with its
thread, and another thread takes its place.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar
from weakref import WeakSet

from cdp_pipeline.runtimes.wasm.engine import expire_all

T = TypeVar("T")


_alive: WeakSet[GuestThreads] = WeakSet()
_LAST_S = 2.0


@atexit.register
def _end_all() -> None:
    """Let no guest be at work while the interpreter ends."""
    expire_all()
    for threads in list(_alive):
        threads.end(_LAST_S)


class Stopped(Exception):
    """The threads have been told to end."""


class Stuck(Exception):
    """A call did not come back in time."""


@dataclass(eq=False)
class _Call:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    context: Context = field(default_factory=copy_context)
    thread: threading.Thread | None = None

    def work(self) -> None:
        """Call the function, and hand its answer to whoever waits."""
        result, error = None, None
        try:
            result = self.context.run(self.function, *self.arguments)
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if error is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(error)

    def refuse(self, error: Exception) -> None:
        """Tell whoever waits that nothing comes."""
        if not self.answer.done():
            self.answer.set_exception(error)


class GuestThreads:
    """A number of threads.

    Attributes:
        stuck: How many were given up.
    """

    def __init__(self, count: int, name: str) -> None:
        self.stuck = 0
        self._name = name
        self._count = count
        self._queue: SimpleQueue[_Call | None] = SimpleQueue()
        self._open: set[_Call] = set()
        self._threads: set[threading.Thread] = set()
        self._is_stopped = False
        _alive.add(self)

    async def run(self, bound_s: float, function: Callable[..., T], *arguments: Any) -> T:
        """Return what *function* gives, called on a thread.

        Raises:
            Stuck: It did not come back within *bound_s* seconds of its beginning or waiting.
            Stopped: The threads have ended, or end while it waits.
        """
        if self._is_stopped:
            raise Stopped
        self._ensure()
        loop = asyncio.get_running_loop()
        call = _Call(function, arguments, loop, loop.create_future())
        self._open.add(call)
        self._queue.put(call)
        bound = loop.call_later(bound_s, self._give_up, call)
        try:
            answer: T = await call.answer
            return answer
        finally:
            bound.cancel()
            self._open.discard(call)

    @property
    def is_busy(self) -> bool:
        """Whether a call is being answered."""
        return any(call.thread is not None for call in self._open)

    def stop(self) -> None:
        """End the threads when they have done what they do; refuse what waits for one."""
        self._is_stopped = True
        for call in self._open:
            if call.thread is None:
                call.refuse(Stopped())
        for _ in self._threads:
            self._queue.put(None)
        self._threads.clear()

    def end(self, timeout_s: float) -> None:
        """End the threads, and wait for what they do just now; nobody is told."""
        self._is_stopped = True
        threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join(timeout_s)

    def _ensure(self) -> None:
        while len(self._threads) < self._count:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            if call.answer.done():
                continue
            call.thread = threading.current_thread()
            call.work()
            if call.thread not in self._threads and not self._is_stopped:
                return  # it was given up, and came back after all

    def _give_up(self, call: _Call) -> None:
        if call.thread is not None:
            self.stuck += 1
            self._threads.discard(call.thread)
            self._ensure()
        call.refuse(Stuck())
