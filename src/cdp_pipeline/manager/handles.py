"""Sources, processors and consumers whose instance can be replaced while they work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

from cdp_pipeline.manager.consuming import ManagedConsumer
from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.probation import failures
from cdpplugin import (
    Batch,
    Outputs,
    PluginMetadata,
    Resume,
    Retry,
    SourceBatch,
    SourceDescription,
)

REPLACED = "plugin.replaced"
"""Code of the `Retry` of a source that is to be read again, at once, from another instance."""


class Pinned:
    """A processor for one parcel: whatever it is asked, the same instance answers.

    Only where that instance is lost, or has failed and been replaced, another one does.
    """

    __slots__ = ("_has_failed", "_hold", "_instance", "_managed")
    _instance: Instance

    def __init__(self, managed: ManagedProcessor) -> None:
        self._managed = managed
        self._hold: object | None = None
        self._has_failed = False

    async def __aenter__(self) -> Pinned:
        await self._pin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()

    async def _pin(self) -> None:
        self._instance, self._hold = await self._managed.admitted()

    def _let_go(self) -> None:
        if self._hold is not None:
            self._instance.release(self._hold)
            self._hold = None

    @property
    def _is_over(self) -> bool:
        """Whether another instance is to be asked: this one is stopped, or failed, and replaced."""
        instance = self._instance
        has_failed = self._has_failed or instance.is_given_up or instance.is_ending
        return has_failed and instance is not self._managed.current

    def metadata(self) -> PluginMetadata:
        """Return what the instance says of itself."""
        return self._instance.metadata

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`."""
        while True:
            if self._is_over:
                self._let_go()
                await self._pin()
            try:
                outputs = await self._managed.asked(self._instance, batch)
            except Exception as error:
                self._has_failed = True
                if not await self._managed.brought_back(self._instance, error):
                    raise
            else:
                self._has_failed = bool(failures(outputs))
                return outputs


class ManagedProcessor(Managed):
    """A processor."""

    def pinned(self) -> Pinned:
        """Return what answers all of one parcel, as an asynchronous context manager."""
        return Pinned(self)

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`."""
        async with self.pinned() as pinned:
            return await pinned.process_batch(batch)

    async def asked(self, instance: Instance, batch: Batch) -> Outputs:
        """Return what *instance* answers, or the old version where a new one does worse."""
        probation, rows = self.probation, len(batch)
        self.rows += rows
        try:
            if probation is not None and instance is probation.new:
                outputs = await probation.answer(batch)
            else:
                outputs = await instance.handle.process_batch(batch)
        except Exception as error:
            self.failed_rows += rows
            if self.recording is not None:
                self.recording.failed(batch, error)
            raise
        if self.recording is not None:
            self.recording.answered(batch, outputs)
        self.failed_rows += len(failures(outputs))
        self.calls += 1
        return outputs


class ManagedSource(Managed):
    """A source: another instance takes over where the one before has been read to."""

    async def describe(self) -> SourceDescription:
        """Ask what the stream is."""
        description: SourceDescription = await self.current.handle.describe()
        return description

    async def acknowledge(self, completed_through: int) -> None:
        """Tell the present instance what is durable."""
        await self.current.handle.acknowledge(completed_through)

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the stream; see `cdpplugin.Source`.

        Raises:
            Retry: Another instance has taken over, and is to be read from the last position.
        """
        async with self.held() as instance:
            news = asyncio.ensure_future(self.changed.wait())
            stream = instance.handle.read(after)
            try:
                async with aclosing(stream):
                    while instance is self.current:
                        found = await self._next(stream, instance, news)
                        if found is not None:
                            self.calls += 1
                            self.rows += len(found.batch)
                            yield found
                        elif instance is self.current:
                            return
            finally:
                news.cancel()
        raise Retry("another instance of the source has taken over", code=REPLACED)

    async def _next(
        self, stream: Any, instance: Instance, news: asyncio.Future[Any]
    ) -> SourceBatch | None:
        """Return the next batch; None at the end, or when another instance takes over."""
        asked = asyncio.ensure_future(anext(stream, None))
        try:
            await asyncio.wait([asked, news], return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                found: SourceBatch | None = await asked
                return found
            return None
        except Exception as error:
            if instance is not self.current:
                return None  # the one that has taken over reads on
            probation = self.probation
            if probation is not None and instance is probation.new:
                probation.fail(getattr(error, "code", "plugin.failed"), str(error))
                return None
            if await self.brought_back(instance, error):
                return None
            raise
        finally:
            if not asked.done():
                asked.cancel()
                with suppress(BaseException):
                    await asked


MANAGED: Mapping[str, type[Managed]] = {
    "source": ManagedSource,
    "processor": ManagedProcessor,
    "consumer": ManagedConsumer,
}
