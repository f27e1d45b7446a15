"""The three long-lived calls: batches to a processor, from a source, to a consumer.

When the plugin is to stop, each takes no more requests, finishes what it has begun, and
ends its stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar, cast

from grpc.aio import ServicerContext

from cdpplugin import wire
from cdpplugin.delivery import Resume, SourceBatch
from cdpplugin.errors import PluginError
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle, SourceHandle
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

    async def done(self, task: asyncio.Task[None]) -> None:
        """Wait until *task* has ended; one that was ended by `stop` ends well."""
        try:
            await task
        except asyncio.CancelledError:
            if not self._stopping:
                raise

    def stop(self) -> None:
        """End every reading."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()


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
        """
        await self._write(pb.StreamResponse(credits=self._credits))
        try:
            await readings.done(readings.begin(_hand_over(requests, self._take)))
            await asyncio.gather(*self._tasks)
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

    async def run(self, requests: AsyncIterator[pb.ReadRequest], readings: Readings) -> None:
        """Send what the source reads, as credits allow; hand on what is acknowledged."""
        requests = aiter(requests)
        first = await anext(requests, None)
        if first is None:
            return
        granted = Credits(first.credits)
        listening = asyncio.create_task(self._listen(requests, granted))
        sending = readings.begin(self._send(first, granted))
        try:
            await readings.done(sending)
        finally:
            listening.cancel()

    async def _listen(self, requests: AsyncIterator[pb.ReadRequest], granted: Credits) -> None:
        try:
            async for request in requests:
                granted.grant(request.credits)
                if request.HasField("acknowledged_through"):
                    await self._source.acknowledge(request.acknowledged_through)
        except Exception as error:
            granted.close(error)
        else:
            granted.close()

    async def _send(self, first: pb.ReadRequest, granted: Credits) -> None:
        try:
            await self._send_all(wire.decode_resume(first), granted)
        except Exception as error:
            message = wire.encode_error(as_plugin_error(error))
            await self._context.write(pb.ReadResponse(error=message))

    async def _send_all(self, after: Resume | None, granted: Credits) -> None:
        stream = cast("AsyncGenerator[SourceBatch, None]", self._source.read(after))
        async with aclosing(stream):
            while await granted.take():
                found = await anext(stream, None)
                if found is None:
                    return
                for number, response in enumerate(cut_to_fit(found, self._limit_bytes)):
                    if number and not await granted.take():
                        return
                    await self._context.write(response)


class ConsumerStream:
    """One `Consume` call: a response to each request, in order."""

    def __init__(self, context: ServicerContext[Any, Any], consumer: ConsumerHandle) -> None:
        self._context = context
        self._consumer = consumer

    async def run(self, requests: AsyncIterator[pb.ConsumeRequest], readings: Readings) -> None:
        """Answer *requests* until they end."""
        waiting: asyncio.Queue[pb.ConsumeRequest | None] = asyncio.Queue()
        reading = readings.begin(_hand_over(requests, waiting.put_nowait))
        reading.add_done_callback(lambda _: waiting.put_nowait(None))
        try:
            while (request := await waiting.get()) is not None:
                await self._context.write(await self._respond(request))
            await readings.done(reading)
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
