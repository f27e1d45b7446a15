"""Sources, processors and consumers whose instance can be replaced while they work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any

from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.probation import failures
from cdpplugin import (
    Batch,
    Context,
    Delivery,
    Drop,
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
        except Exception:
            self.failed_rows += rows
            raise
        self.failed_rows += len(failures(outputs))
        self.calls += 1
        return outputs


class ManagedConsumer(Managed):
    """A consumer: one call at a time.

    A new version makes each delivery durable while it may still be rolled back: so nothing that
    it has taken is lost with it.
    """

    _durable: int | None = None
    _owes = False
    """Whether the present instance has taken what it has not yet made durable."""

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
                    position = await self._consumed(instance, delivery)
                except Exception as error:
                    if self._has_given_up(instance, error):
                        continue
                    if not await self.brought_back(instance, error):
                        self.failed_rows += rows * (not isinstance(error, Drop))
                        raise
                    continue
            self.calls += 1
            return self._newest(position)

    async def _consumed(self, instance: Instance, delivery: Delivery) -> int | None:
        position: int | None = await instance.handle.consume(delivery)
        probation = self.probation
        is_new = probation is not None and instance is probation.new
        if is_new or instance is not self.current:
            return _later(position, await instance.handle.flush())
        self._owes = position is None or position < delivery.completed_through
        return position

    async def flush(self) -> int | None:
        """Make everything taken so far durable; return the position."""
        while True:
            async with self.held() as instance:
                try:
                    position: int | None = await instance.handle.flush()
                except Exception as error:
                    if self._has_given_up(instance, error):
                        continue
                    raise
                self._owes = False
            return self._newest(position)

    async def flush_now(self, instance: Instance) -> None:
        """Make durable what *instance* has taken, before another one takes over.

        Raises:
            ReloadRefused: It is out of service, and what it has taken is lost with it.
        """
        if not self._owes:
            return
        if not instance.is_serving:
            raise ReloadRefused(
                "the consumer has taken what it did not make durable, a new version cannot go on",
                hint="run the pipeline again: it goes on from the checkpoint",
            )
        self._durable = self._newest(await instance.handle.flush())
        self._owes = False

    @property
    def can_be_brought_back(self) -> bool:
        """Whether nothing is lost with the present instance."""
        return super().can_be_brought_back and not self._owes

    async def forget(self, context: Context) -> Sequence[str]:
        """Let it forget its position."""
        done: Sequence[str] = await self.current.handle.forget(context)
        return done

    def _has_given_up(self, instance: Instance, error: Exception) -> bool:
        """Tell whether a new version failed, and the old one is to be asked instead."""
        if isinstance(error, Drop):
            return False
        if instance is not self.current:
            return instance.is_given_up or instance.is_ending
        probation = self.probation
        if probation is None or instance is not probation.new:
            return False
        probation.fail(getattr(error, "code", "plugin.failed"), str(error))
        return True

    def _newest(self, position: int | None) -> int | None:
        """Return the newest of this and of what the instance before had made durable."""
        before, self._durable = self._durable, None
        return _later(before, position)


def _later(*positions: int | None) -> int | None:
    return max((each for each in positions if each is not None), default=None)


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
