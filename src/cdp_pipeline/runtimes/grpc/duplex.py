"""A long-lived call in both directions, without the surprises of the library's own."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from cdp_pipeline.runtimes.grpc.client import Client, Method

_EOF: Any = getattr(grpc.aio, "EOF")  # noqa: B009 - the stubs do not know it


class Duplex:
    """One call of streams.

    Several may send at once: gRPC allows one at a time, so they wait for each other.
    """

    def __init__(self, client: Client, method: Method[Any]) -> None:
        self._call = client.stream(method)
        self._sending = asyncio.Lock()
        self._is_begun = False

    async def send(self, request: Message | bytes) -> bool:
        """Send *request*; False where the call has ended, which `receive` explains."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        async with self._sending:
            try:
                await self._write(data)
            except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
                return False
            except asyncio.CancelledError:
                if self._was_cancelled_elsewhere():
                    return False
                self._call.cancel()
                raise
        return True

    async def _write(self, data: bytes) -> None:
        """Send *data* below the library's own `write`.

        That one, when it fails because the plugin has just ended the call, puts an internal
        error in the place of the status that the plugin gave, and loses the messages that
        were not read yet (github.com/grpc/grpc/issues/36066).
        """
        below = getattr(self._call, "_cython_call", None)
        if below is None:
            await self._call.write(data)
            return
        if not self._is_begun:
            await self._begun()
        await below.send_serialized_message(data)

    async def _begun(self) -> None:
        """Wait until the call has begun.

        Raises:
            asyncio.InvalidStateError: It has ended before it had begun: the library's own wait
                would then never wake.
        """
        begun = asyncio.ensure_future(self._call.wait_for_connection())
        ended = asyncio.ensure_future(self._call.code())
        try:
            await asyncio.wait([begun, ended], return_when=asyncio.FIRST_COMPLETED)
            if not begun.done():
                raise asyncio.InvalidStateError("the call has ended before it had begun")
            await begun
            self._is_begun = True
        finally:
            for wait in (begun, ended):
                wait.cancel()

    async def receive(self) -> bytes | None:
        """Return the next message; None where the plugin has ended the call well.

        Raises:
            grpc.aio.AioRpcError: It has ended with an error.
        """
        try:
            data = await self._call.read()
        except asyncio.CancelledError:
            if self._was_cancelled_elsewhere():
                return None
            raise
        return None if data is _EOF else data

    async def end_sending(self) -> None:
        """Say that nothing more will be sent; what the plugin still has to say can be received."""
        async with self._sending:
            try:
                await self._call.done_writing()
            except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
                return
            except asyncio.CancelledError:
                if not self._was_cancelled_elsewhere():
                    raise

    def end(self) -> None:
        """End the call at once."""
        self._call.cancel()

    def _was_cancelled_elsewhere(self) -> bool:
        """Tell the end of the call from the end of the task, which the library words alike."""
        task = asyncio.current_task()
        return bool(self._call.cancelled()) and not (task and task.cancelling())
