"""One `Read` call: batches from a source, a credit each; to it what is durable, to the last.

When the plugin is to stop, the call ends with UNAVAILABLE: an end without an error would say
that the source has come to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from grpc.aio import ServicerContext

from cdpplugin import wire
from cdpplugin.delivery import Resume, SourceBatch
from cdpplugin.errors import PluginError
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import SourceHandle
from cdpplugin.log import get_logger
from cdpplugin.server.credits import Credits
from cdpplugin.server.sizes import cut_to_fit
from cdpplugin.server.streams import Readings, stopping, write
from cdpplugin.v1 import plugin_pb2 as pb


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
        self._failure: Exception | None = None
        self._last = -1
        self._writing = asyncio.Lock()

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
            await asyncio.wait([listening, sending], return_when=asyncio.FIRST_COMPLETED)
            if not sending.done() and not self._has_ended:
                await self._leave(sending)
            elif not await readings.done(sending):
                raise stopping()
        finally:
            listening.cancel()

    async def _leave(self, sending: asyncio.Task[None]) -> None:
        """Read no more: the host has ended its side, or the source could not acknowledge.

        A source that waits for its next row is not waited for; a message on its way is.
        """
        sending.cancel()
        async with self._writing:
            pass
        if self._failure is not None:
            await self._tell(self._failure)

    async def _listen(self, first: pb.ReadRequest, requests: AsyncIterator[pb.ReadRequest]) -> None:
        """Take requests until the host ends its side, or the source fails with one."""
        await self._take(first)
        while self._failure is None and (request := await anext(requests, None)) is not None:
            await self._take(request)

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
                self._failure = error
            else:
                get_logger().error(f"an acknowledgement failed: {error}", position=position)

    async def _send(self, first: pb.ReadRequest, listening: asyncio.Task[None]) -> None:
        """Send the stream and its end, then wait for the end of the host's side."""
        try:
            await self._send_all(wire.decode_resume(first))
        except Exception as error:
            await self._tell(error)
        else:
            await self._write(pb.ReadResponse(ended=True))
            await asyncio.wait([listening])

    async def _send_all(self, after: Resume | None) -> None:
        """Send the stream to its end, a message a credit."""
        stream = cast("AsyncGenerator[SourceBatch, None]", self._source.read(after))
        async with aclosing(stream):
            while await self._granted.take() and (found := await anext(stream, None)) is not None:
                self._check(found)
                for number, response in enumerate(cut_to_fit(found, self._limit_bytes)):
                    if number:
                        await self._granted.take()
                    await self._write(response)
        if self._failure is not None:
            raise self._failure
        self._has_ended = True

    async def _tell(self, error: Exception) -> None:
        await self._write(pb.ReadResponse(error=wire.encode_error(as_plugin_error(error))))

    async def _write(self, response: pb.ReadResponse) -> None:
        async with self._writing:
            await write(self._context, response)

    def _check(self, found: SourceBatch) -> None:
        """Refuse what the host could not place.

        Raises:
            PluginError: plugin.output_invalid; a row has no position, or positions decrease.
        """
        positions, rows = list(found.positions), len(found.batch)
        if len(positions) != rows:
            raise _misplaced(f"expected the position of each of {rows} rows, got {len(positions)}")
        if not rows:
            return
        if positions[0] < self._last or positions != sorted(positions):
            raise _misplaced(f"expected positions that never decrease, got {positions[:20]}")
        self._last = positions[-1]


def _misplaced(message: str) -> PluginError:
    return PluginError(
        message,
        code="plugin.output_invalid",
        hint="give each row its position; they never decrease, also from batch to batch",
    )
