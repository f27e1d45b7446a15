"""One life of a plugin on an event loop of its own, for callers who have none.

The loop runs on a thread: a test may be plain or async, and its runner may do with its own
loops whatever it does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from cdpplugin.delivery import Context
from cdpplugin.testing.bench import Launch

T = TypeVar("T")


class Life:
    """Launches a plugin, configures and starts it; ends it when it is told to.

    Args:
        launch: Gives the plugin's handle.
        config: Its configuration.
        context: What it is told at its start.

    Raises:
        PluginError: It refuses its configuration, or does not start.
    """

    def __init__(self, launch: Launch, config: Mapping[str, Any], context: Context) -> None:
        self._launch, self._config, self._context = launch, config, context
        self._ready: Future[Any] = Future()
        self._over = asyncio.Event()
        self._is_over = False
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="cdp-test-plugin", daemon=True)
        self._thread.start()
        self.handle = self._ready.result()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Return what *work* comes to on the plugin's loop.

        Raises:
            TimeoutError: It takes longer than *timeout_s*.
        """
        if self._is_over or self._ended.done():
            work.close()
            raise RuntimeError("the plugin was stopped")
        answer = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout_s), self._loop)
        try:
            return answer.result()
        except TimeoutError:
            raise TimeoutError(f"the plugin did not answer within {timeout_s:g} s") from None

    def end(self) -> None:
        """Stop the plugin and wait until it is gone; once, and only then raise what that raises."""
        if self._is_over:
            return
        self._is_over = True
        if not self._ended.done():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._ended.result()

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._loop = runner.get_loop()
                runner.run(self._live())
        except BaseException as error:
            # What came before the plugin was ready is raised there, what came after at the end.
            waited = self._ended if self._ready.done() else self._ready
            waited.set_exception(error)
        if not self._ended.done():
            self._ended.set_result(None)

    async def _live(self) -> None:
        async with self._launch() as handle:
            await handle.configure(self._config)
            try:
                await handle.start(self._context)
            except BaseException:
                with suppress(Exception):  # why it did not start says more
                    await handle.stop()
                raise
            self._ready.set_result(handle)
            await self._over.wait()
            await handle.stop()
