"""One `Read` call: batches come while they are wanted, acknowledgements go until it is closed.

Somebody always waits at the plugin's end of the call, whether batches are wanted or not:
so the call outlives the one who reads, and its end is noticed.
"""

from __future__ import annotations

import asyncio

import grpc.aio

from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.grpc.client import READ, Client
from cdp_pipeline.runtimes.grpc.duplex import Duplex
from cdpplugin import Resume
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import encode_resume

_AHEAD = 2
"""Batches that the plugin may send before the first is taken."""
_ENDED_S = 10.0
"""Longest wait for a source that has ended to take its last acknowledgements, in seconds."""
_LEFT_S = 3.0
"""The same for a source that was left before its end; without an SDK it may wait for its rows."""

_Came = bytes | Exception | None
"""A response, why the call has ended, or None where the plugin has ended it well."""


class Reading:
    """A source's stream in progress, over one call."""

    def __init__(self, client: Client, reference: str) -> None:
        self._log = logger(plugin=reference)
        self._call = Duplex(client, READ)
        self._came: asyncio.Queue[_Came] = asyncio.Queue(_AHEAD)
        self._is_left = False
        self._has_ended = False
        self._receiving = asyncio.create_task(self._receive())

    async def begin(self, after: Resume | None) -> None:
        """Ask for the stream behind *after*."""
        await self._call.send(encode_resume(after, _AHEAD))

    async def next(self) -> pb.ReadResponse | None:
        """Return the next response; None where the plugin has ended the call.

        Raises:
            grpc.aio.AioRpcError: It has ended with an error.
            ProtocolViolation: The bytes are no response.
        """
        came = await self._came.get()
        if isinstance(came, Exception):
            raise came
        if came is None:
            return None
        response = READ.parse(came)
        self._has_ended = response.ended
        return response

    async def grant(self) -> None:
        """Allow one batch more."""
        await self._call.send(pb.ReadRequest(credits=1))

    async def acknowledge(self, completed_through: int) -> None:
        """Tell what is durable; a call that has ended has nobody left to be told."""
        await self._call.send(pb.ReadRequest(acknowledged_through=completed_through))

    def leave(self) -> None:
        """Want no more batches. Those that still come are thrown away."""
        self._is_left = True
        while not self._came.empty():
            self._came.get_nowait()

    async def close(self) -> None:
        """End the host's side and wait for the plugin's, within bounds."""
        self.leave()
        try:
            await self._call.end_sending()
            patience_s = _ENDED_S if self._has_ended else _LEFT_S
            await asyncio.wait([self._receiving], timeout=patience_s)
        finally:
            self._call.end()
            await asyncio.wait([self._receiving])

    async def _receive(self) -> None:
        last: _Came = None
        try:
            while (data := await self._call.receive()) is not None:
                await self._pass_on(data)
        except Exception as error:
            last = error
            if self._is_left:
                self._log.warning("reading ended badly after its last batch", error=_words(error))
        await self._pass_on(last)

    async def _pass_on(self, came: _Came) -> None:
        if not self._is_left:
            await self._came.put(came)


def _words(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return error.details() or error.code().name
    return str(error)
