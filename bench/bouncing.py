"""Send single messages, each when the one before has arrived: how latency is measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from bench.rig import payments
from cdpplugin import Base, Delivery, PluginMetadata, Resume, SourceBatch, SourceDescription


class Bouncer(Base):
    """A source that sends one message and waits until its sink has got it."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._batch = payments(1)
        self._arrived = asyncio.Event()
        self._sent_s = 0.0
        self.latencies_us: list[float] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("bouncer", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="bench", unit="messages")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        for position in range(self._messages):
            self._arrived.clear()
            self._sent_s = perf_counter()
            yield SourceBatch(self._batch, [position])
            await self._arrived.wait()

    def got(self, delivery: Delivery) -> None:
        """Take note that the message has arrived."""
        if len(delivery.batch):
            self.latencies_us.append((perf_counter() - self._sent_s) * 1e6)
            self._arrived.set()


class Catcher(Base):
    """The sink of a `Bouncer`."""

    def __init__(self, bouncer: Bouncer) -> None:
        self._bouncer = bouncer

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("catcher", "1.0.0", "consumer")

    async def consume(self, delivery: Delivery) -> int:
        self._bouncer.got(delivery)
        return delivery.completed_through
