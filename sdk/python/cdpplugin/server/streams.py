"""Long-lived calls: batches to a processor, deliveries to a consumer (`source` has the third).

When the plugin is to stop, each takes no more requests, finishes what it has begun, and
ends with UNAVAILABLE: an end without an error would say that a source has come to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from grpc.aio import ServicerContext

from cdpplugin import wire
from cdpplugin.errors import PluginError, Retry
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle
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


def stopping() -> Retry:
    """Return what a stream ends with that a stopping plugin can no longer serve."""
    return Retry("the plugin is stopping", code="plugin.unavailable")


async def write(context: ServicerContext[Any, Any], response: Any) -> None:
    """Send *response*; a cancellation waits until it is sent.

    gRPC takes no status while a message is on its way, and the call would never end.
    """
    sending = asyncio.ensure_future(context.write(response))
    try:
        await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.gather(sending, return_exceptions=True)
        raise


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
                raise stopping()
        finally:
            await self._cancel_tasks()

    async def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

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
            await write(self._context, response)


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
                raise stopping()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _respond(self, request: pb.ConsumeRequest) -> pb.ConsumeResponse:
        response = pb.ConsumeResponse(sequence=request.sequence)
        try:
            durable = await self._take(request)
            if durable is not None:
                response.durable_through = durable
        except Exception as error:
            response.error.CopyFrom(wire.encode_error(as_plugin_error(error)))
        return response

    async def _take(self, request: pb.ConsumeRequest) -> int | None:
        durable = None
        if request.batch.rows or not request.flush:
            durable = await self._consumer.consume(wire.decode_delivery(request))
        flushed = await self._consumer.flush() if request.flush else None
        return durable if flushed is None else flushed
