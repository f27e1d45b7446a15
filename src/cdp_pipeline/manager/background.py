"""What goes on beside the stream: tasks that are watched, instances on their way out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.observability.logs import logger

T = TypeVar("T")


class Background:
    """The tasks of one manager.

    Attributes:
        has_ended: Whether the run ends: nothing more is begun.
    """

    def __init__(self, settings: ManagerSettings) -> None:
        self.has_ended = False
        self._settings = settings
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving: dict[Instance, asyncio.Task[None]] = {}

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin *work*; an exception that nobody awaits is a line in the log."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def retire(self, instance: Instance) -> None:
        """Stop an instance once nobody holds it any more, whoever is cancelled meanwhile."""
        if instance not in self._leaving and not instance.is_ending:
            task = self._leaving[instance] = asyncio.create_task(self._leave(instance))
            task.add_done_callback(lambda _: self._leaving.pop(instance))
        if instance in self._leaving:
            await asyncio.shield(self._leaving[instance])

    async def end(self) -> None:
        """Cancel what goes on, and wait until what is on its way out is gone."""
        self.has_ended = True
        for task in list(self._tasks):
            task.cancel()
        while going_on := [*self._tasks, *self._leaving.values()]:
            await asyncio.wait(going_on)

    async def _leave(self, instance: Instance) -> None:
        if instance.is_serving or instance.state == "quarantined":
            instance.move("draining")
        await instance.settled(self._settings.drain_timeout_s)
        with suppress(Exception):  # one that does not end is not waited for
            async with asyncio.timeout(self._settings.stop_timeout_s):
                await instance.stop()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger().error("managing a plugin has failed", error=repr(error))
