"""The three long-lived calls: batches to a processor, from a source, to a consumer.

When the plugin is to stop, each takes no more requests, finishes what it has begun, and
ends its stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, cast

from grpc.aio import ServicerContext

from cdpplugin import wire
from cdpplugin.delivery import SourceBatch
from cdpplugin.errors import PluginError
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle, SourceHandle
from cdpplugin.server.credits import Credits
from cdpplugin.server.sizes import cut_to_fit
from cdpplugin.v1 import plugin_pb2 as pb

Answer = Callable[[pb.MessageBatch], Awaitable[pb.ProcessBatchResponse]]


class Readings:
    """The tasks that read requests off open streams, to be ended when the plugin stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def begin(
        self, requests: AsyncIterator[Any], take: Callable[[Any], Any]
    ) -> asyncio.Task[None]:
        """Hand each of *requests* to *take*, until they end or the plugin stops."""
        task = asyncio.create_task(_hand_over(requests, take))
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


async def _hand_over(requests: AsyncIterator[Any], take: Callable[[Any], Any]) -> None:
    async for request in requests:
        take(request)


class ProcessorStream:
    """One `Stream` call.

    Invariant: at most `credits` batches are held at once; a host that sends more is refused.
    """

    def __init__(self, context: ServicerContext[Any, Any], answer: Answer, credits: int) -> None:  # noqa: A002
        self._context = context
        self._answer = answer
        self._credits = credits
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
            await readings.done(readings.begin(requests, self._take))
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
        credits = Credits(first.credits)  # noqa: A001
        listening = asyncio.create_task(self._listen(requests, credits))
        sending = readings.begin(self._responses(first, credits), lambda _: None)
        try:
            await readings.done(sending)
        finally:
            listening.cancel()

    async def _listen(self, requests: AsyncIterator[pb.ReadRequest], credits: Credits) -> None:  # noqa: A002
        try:
            async for request in requests:
                credits.grant(request.credits)
                if request.HasField("acknowledged_through"):
                    await self._source.acknowledge(request.acknowledged_through)
        except Exception as error:
            credits.close(error)
        else:
            credits.close()

    async def _responses(self, first: pb.ReadRequest, credits: Credits) -> AsyncIterator[None]:  # noqa: A002
        """Send responses, one a step."""
        try:
            stream = cast("Any", self._source.read(wire.decode_resume(first)))
            async with aclosing(stream):
                while await credits.take():
                    found: SourceBatch | None = await anext(stream, None)
                    if found is None:
                        return
                    for number, response in enumerate(cut_to_fit(found, self._limit_bytes)):
                        if number and not await credits.take():
                            return
                        await self._context.write(response)
                        yield
        except Exception as error:
            message = wire.encode_error(as_plugin_error(error))
            await self._context.write(pb.ReadResponse(error=message))


class ConsumerStream:
    """One `Consume` call: a response to each request, in order."""

    def __init__(self, context: ServicerContext[Any, Any], consumer: ConsumerHandle) -> None:
        self._context = context
        self._consumer = consumer

    async def run(self, requests: AsyncIterator[pb.ConsumeRequest], readings: Readings) -> None:
        """Answer *requests* until they end."""
        waiting: asyncio.Queue[pb.ConsumeRequest | None] = asyncio.Queue()
        reading = readings.begin(requests, waiting.put_nowait)
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
        if request.flush:
            return await self._consumer.flush()
        return await self._consumer.consume(wire.decode_delivery(request))
