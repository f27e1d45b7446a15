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
        self._last = -1

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
                raise stopping()
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
            await write(self._context, pb.ReadResponse(error=message))
            return
        if self._has_ended:
            await write(self._context, pb.ReadResponse(ended=True))
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
                self._check(found)
                for number, response in enumerate(cut_to_fit(found, self._limit_bytes)):
                    if number and not await self._granted.take():
                        return
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
