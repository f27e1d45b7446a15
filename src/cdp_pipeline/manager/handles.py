"""Sources, processors and consumers whose instance can be replaced while they work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.managed import Managed
from cdpplugin import (
    Batch,
    Context,
    Delivery,
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

    Only where that instance is lost, another one does.
    """

    __slots__ = ("_hold", "_instance", "_managed")

    def __init__(self, managed: ManagedProcessor) -> None:
        self._managed = managed

    async def __aenter__(self) -> Pinned:
        self._hold = self._managed.held()
        self._instance: Instance = await self._hold.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._hold.__aexit__(kind, error, trace)

    def metadata(self) -> PluginMetadata:
        """Return what the instance says of itself."""
        return self._instance.metadata

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`."""
        while True:
            try:
                return await self._managed.asked(self._instance, batch)
            except Exception as error:
                if not await self._managed.brought_back(self._instance, error):
                    raise
                await self._hold.__aexit__(None, None, None)
                await self.__aenter__()


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
        except Exception:
            self.failed_rows += rows
            raise
        self.failed_rows += len(outputs.errors)
        self.calls += 1
        return outputs


class ManagedConsumer(Managed):
    """A consumer: one call at a time."""

    _durable: int | None = None

    async def durable_position(self) -> int | None:
        """Ask how far it is durable."""
        position: int | None = await self.current.handle.durable_position()
        return position

    async def consume(self, delivery: Delivery) -> int | None:
        """Hand over *delivery*; see `cdpplugin.Consumer`."""
        rows = len(delivery.batch)
        self.rows += rows
        while True:
            async with self.held() as instance:
                try:
                    position: int | None = await instance.handle.consume(delivery)
                except Exception as error:
                    if self._has_given_up(instance, error):
                        continue
                    if not await self.brought_back(instance, error):
                        self.failed_rows += rows
                        raise
                    continue
            self.calls += 1
            return self._newest(position)

    async def flush(self) -> int | None:
        """Make everything taken so far durable; return the position."""
        async with self.held() as instance:
            return self._newest(await instance.handle.flush())

    async def flush_now(self, instance: Instance) -> None:
        """Make durable what *instance* has taken, before another one takes over."""
        self._durable = self._newest(await instance.handle.flush())

    async def forget(self, context: Context) -> Sequence[str]:
        """Let it forget its position."""
        done: Sequence[str] = await self.current.handle.forget(context)
        return done

    def _has_given_up(self, instance: Instance, error: Exception) -> bool:
        """Tell whether a new version failed, and the old one is to be asked instead."""
        probation = self.probation
        if probation is None or instance is not probation.new:
            return False
        probation.fail(getattr(error, "code", "plugin.failed"), str(error))
        return True

    def _newest(self, position: int | None) -> int | None:
        """Return the newest of this and of what the instance before had made durable."""
        before, self._durable = self._durable, None
        return max((p for p in (before, position) if p is not None), default=None)


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
