"""One container: what it prints, how it ends, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cdp_pipeline.runtimes.grpc.attachment import Attachment
from cdp_pipeline.runtimes.grpc.engine import Engine
from cdp_pipeline.runtimes.grpc.launches import Launch
from cdp_pipeline.runtimes.processes.ending import Ending
from cdp_pipeline.runtimes.processes.logs import LogLines

_REMOVAL_S = 30
"""Longest wait for the engine to have removed a container, in seconds."""
_KILLED = 137
"""The exit status of a process that SIGKILL ended, as the engine reports it."""


class ContainerInstance:
    """One container, and what belongs to its launch."""

    def __init__(
        self,
        engine: Engine,
        container: Any,
        launch: Launch,
        *,
        network: Any,
        log: LogLines,
        grace_s: float,
    ) -> None:
        self.container = container
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._launch = launch
        self._network = network
        self._log = log
        self._grace_s = grace_s
        self._killed = False
        self._attachment: Attachment | None = None
        self._following: threading.Thread | None = None
        self._is_started = False

    async def start(self) -> None:
        """Hold its lifeline, follow its output, start it."""
        self._attachment = await self._engine.call(
            lambda: Attachment(self.container), "attach to the container"
        )
        self._following = threading.Thread(
            target=self._follow, args=(self._attachment,), name="plugin-log", daemon=True
        )
        self._following.start()
        await self._engine.call(self.container.start, "start the container")
        self._is_started = True
        loop = asyncio.get_running_loop()
        # Of its own: a thread that waits as long as the container lives would take the place of
        # the loop's few, until nothing moved.
        threading.Thread(target=self._wait, args=(loop,), name="container", daemon=True).start()

    def _follow(self, attachment: Attachment) -> None:
        with suppress(OSError):  # the engine went away, or this was closed
            for stream, data in attachment.output():
                self._log.feed(stream, data)
        self._log.close()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            ending = _ending(self.container.wait(timeout=None)["StatusCode"])
        except Exception as error:  # gone before it could be asked, or the engine with it
            ending = Ending(reason=f"is gone: {error}")
        with suppress(RuntimeError):  # the host has ended
            loop.call_soon_threadsafe(self._settle, ending)

    def _settle(self, ending: Ending) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""
        return self._log.last_lines

    def listening(self) -> Sequence[str]:
        """None: its addresses are its own."""
        return ()

    def kill(self) -> None:
        """End it at once."""
        self._killed = True
        quietly = self._engine.quietly
        threading.Thread(target=lambda: quietly(self.container.kill), daemon=True).start()

    async def stop(self) -> Ending:
        """End it: SIGTERM, SIGKILL after the grace; remove all that was made for it."""
        await asyncio.to_thread(self._remove)
        if not self._is_started:
            self._settle(Ending(reason="was never started"))
        ending = await asyncio.shield(self.ended)
        await asyncio.to_thread(self._engine.client.close)
        return ending

    def _remove(self) -> None:
        quietly, grace_s = self._engine.quietly, 0 if self._killed else round(self._grace_s)
        quietly(lambda: self.container.stop(timeout=grace_s))
        quietly(lambda: self.container.remove(force=True, v=True))
        quietly(lambda: self.container.wait(condition="removed", timeout=_REMOVAL_S))
        if self._attachment is not None:
            self._attachment.close()
        if self._following is not None:
            self._following.join(_REMOVAL_S)
        if self._network is not None:
            quietly(self._network.remove)
        self._launch.close()


def _ending(status: int) -> Ending:
    if status == _KILLED:
        return Ending(signal_number=9, reason="or reached its memory limit")
    return Ending(signal_number=status - 128) if 128 < status < 160 else Ending(status=status)
