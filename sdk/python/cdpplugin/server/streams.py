"""The three long-lived calls: batches to a processor, from a source, to a consumer.

When the plugin is to stop, each takes no more requests, finishes what it has begun, and
ends with UNAVAILABLE: an end without an error would say that a source has come to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar, cast

from grpc.aio import ServicerContext

from cdpplugin import wire
from cdpplugin.delivery import Resume, SourceBatch
from cdpplugin.errors import PluginError, Retry
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle, SourceHandle
from cdpplugin.log import get_logger
from cdpplugin.server.credits import Credits
from cdpplugin.server.sizes import cut_to_fit
from cdpplugin.v1 import plugin_pb2 as pb

T = TypeVar("T")
Answer = Callable[[pb.MessageBatch], Awaitable[pb.ProcessBatchResponse]]


class Readings:
    """The tasks that read requests off open streams, to be ended when the plugin stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def begin(self, reading: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *reading* until it ends or the plugin stops."""
        task = asyncio.create_task(reading)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._stopping:
            task.cancel()
        return task

    async def done(self, task: asyncio.Task[None]) -> bool:
        """Wait until *task* has ended; tell whether it ended by itself, not by `stop`."""
        try:
            await task
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            return False
        return True

    def stop(self) -> None:
        """End every reading."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()


def _stopping() -> Retry:
    """Return what a stream ends with that a stopping plugin can no longer serve."""
    return Retry("the plugin is stopping", code="plugin.unavailable")


async def _hand_over(requests: AsyncIterator[T], take: Callable[[T], None]) -> None:
    async for request in requests:
        take(request)


class ProcessorStream:
    """One `Stream` call.

    Invariant: at most `allowed` batches are held at once; a host that sends more is refused.
    """

    def __init__(self, context: ServicerContext[Any, Any], answer: Answer, allowed: int) -> None:
        self._context = context
        self._answer = answer
        self._credits = allowed
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = asyncio.Lock()

    async def run(self, requests: AsyncIterator[pb.StreamRequest], readings: Readings) -> None:
        """Answer *requests* until they end.

        Raises:
            PluginError: plugin.credits_exceeded; the host sent more than it may.
            Retry: plugin.unavailable; the plugin is stopping.
        """
        await self._write(pb.StreamResponse(credits=self._credits))
        try:
            ended = await readings.done(readings.begin(_hand_over(requests, self._take)))
            await asyncio.gather(*self._tasks)
            if not ended:
                raise _stopping()
        finally:
            for task in self._tasks:
                task.cancel()

    def _take(self, request: pb.StreamRequest) -> None:
        if self._open >= self._credits:
            raise PluginError(
                f"expected at most {self._credits} unanswered batches, got one more",
                code="plugin.credits_exceeded",
                hint="send a batch only where the plugin has granted a credit for it",
            )
        self._open += 1
        task = asyncio.create_task(self._respond(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, request: pb.StreamRequest) -> None:
        response = pb.StreamResponse(sequence=request.sequence, credits=1)
        try:
            response.answer.CopyFrom(await self._answer(request.batch))
        except Exception as error:
            response.error.CopyFrom(wire.encode_error(as_plugin_error(error)))
        self._open -= 1
        await self._write(response)

    async def _write(self, response: pb.StreamResponse) -> None:
        async with self._writing:
            await self._context.write(response)


class SourceStream:
    """One `Read` call."""

    def __init__(
        self, context: ServicerContext[Any, Any], source: SourceHandle, limit_bytes: int
    ) -> None:
        self._context = context
        self._source = source
        self._limit_bytes = limit_bytes
        self._granted = Credits(0)
        self._has_ended = False

    async def run(self, requests: AsyncIterator[pb.ReadRequest], readings: Readings) -> None:
        """Send what the source reads, as credits allow; hand on what is acknowledged.

        Raises:
            Retry: plugin.unavailable; the plugin is stopping.
        """
        requests = aiter(requests)
        first = await anext(requests, None)
        if first is None:
            return
        listening = asyncio.create_task(self._listen(first, requests))
        sending = readings.begin(self._send(first, listening))
        try:
            if not await readings.done(sending):
                raise _stopping()
        finally:
            listening.cancel()

    async def _listen(self, first: pb.ReadRequest, requests: AsyncIterator[pb.ReadRequest]) -> None:
        try:
            await self._take(first)
            async for request in requests:
                await self._take(request)
        except Exception as error:
            self._granted.close(error)
        else:
            self._granted.close()

    async def _take(self, request: pb.ReadRequest) -> None:
        """Take credits and an acknowledgement; one that fails fails the reading, if it can."""
        self._granted.grant(request.credits)
        if not request.HasField("acknowledged_through"):
            return
        position = request.acknowledged_through
        try:
            await self._source.acknowledge(position)
        except Exception as error:
            if not self._has_ended:
                raise
            get_logger().error(f"an acknowledgement failed: {error}", position=position)

    async def _send(self, first: pb.ReadRequest, listening: asyncio.Task[None]) -> None:
        """Send the stream and its end, then wait for the end of the host's side."""
        try:
            await self._send_all(wire.decode_resume(first))
        except Exception as error:
            message = wire.encode_error(as_plugin_error(error))
            await self._context.write(pb.ReadResponse(error=message))
            return
        if self._has_ended:
            await self._context.write(pb.ReadResponse(ended=True))
        await listening

    async def _send_all(self, after: Resume | None) -> None:
        """Send the stream until its end, or as far as credits go once the host grants no more."""
        stream = cast("AsyncGenerator[SourceBatch, None]", self._source.read(after))
        async with aclosing(stream):
            while await self._granted.take():
                found = await anext(stream, None)
                if found is None:
                    self._granted.check()
                    self._has_ended = True
                    return
                for number, response in enumerate(cut_to_fit(found, self._limit_bytes)):
                    if number and not await self._granted.take():
                        return
                    await self._context.write(response)


class ConsumerStream:
    """One `Consume` call: a response to each request, in order."""

    def __init__(self, context: ServicerContext[Any, Any], consumer: ConsumerHandle) -> None:
        self._context = context
        self._consumer = consumer

    async def run(self, requests: AsyncIterator[pb.ConsumeRequest], readings: Readings) -> None:
        """Answer *requests* until they end.

        Raises:
            Retry: plugin.unavailable; the plugin is stopping.
        """
        waiting: asyncio.Queue[pb.ConsumeRequest | None] = asyncio.Queue()
        reading = readings.begin(_hand_over(requests, waiting.put_nowait))
        reading.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            while (request := await waiting.get()) is not None:
                await self._context.write(await self._respond(request))
            if not await readings.done(reading):
                raise _stopping()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _respond(self, request: pb.ConsumeRequest) -> pb.ConsumeResponse:
        response = pb.ConsumeResponse(sequence=request.sequence)
        try:
            durable = await self._take(request)
        except Exception as error:
            response.error.CopyFrom(wire.encode_error(as_plugin_error(error)))
        else:
            if durable is not None:
                response.durable_through = durable
        return response

    async def _take(self, request: pb.ConsumeRequest) -> int | None:
        durable = None
        if request.batch.rows or not request.flush:
            durable = await self._consumer.consume(wire.decode_delivery(request))
        flushed = await self._consumer.flush() if request.flush else None
        return durable if flushed is None else flushed
