"""Batches over one long-lived call: as many at once as the plugin grants, answers in any order.

Source: `spec/handshake.md`, section 4.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio

from cdp_pipeline.runtimes.grpc.client import STREAM, Client
from cdp_pipeline.runtimes.grpc.duplex import Duplex
from cdp_pipeline.runtimes.grpc.faults import ProtocolViolation
from cdp_pipeline.runtimes.grpc.sizes import with_batch
from cdpplugin.server.credits import Credits
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_error

_BATCH = pb.StreamRequest.BATCH_FIELD_NUMBER
_MOST_CREDITS = 1024
"""More unanswered batches than this are never granted in earnest."""


class StreamBroken(Exception):
    """The call has ended; batches that were not answered have to be asked again.

    Attributes:
        error: The status with which it ended, or None where the plugin just ended it.
    """

    def __init__(self, error: grpc.aio.AioRpcError | None) -> None:
        super().__init__(str(error or "the plugin ended the stream"))
        self.error = error


class BatchStream:
    """One `Stream` call.

    Invariant: never more unanswered batches than the plugin has granted credits for.
    """

    def __init__(self, client: Client) -> None:
        self._call = Duplex(client, STREAM)
        self._credits = Credits(0)
        self._granted = 0
        self._sequence = 0
        self._waiting: dict[int, asyncio.Future[pb.ProcessBatchResponse]] = {}
        self._given_up: set[int] = set()
        self._broken: Exception | None = None
        self._reading = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        """Whether batches can be sent."""
        return self._broken is None

    async def ask(self, batch: bytes, timeout_s: float) -> pb.ProcessBatchResponse:
        """Return the plugin's answer to *batch*, a `MessageBatch`, once it has room for it.

        Each batch that the plugin already holds adds *timeout_s* to the wait for this one.
        After a timeout the batch stays with the plugin, and its answer is ignored.

        Raises:
            TimeoutError: No answer came in time.
            StreamBroken: The call ended before the answer came.
            ProtocolViolation: The plugin answered what nobody asked.
            PluginError: The whole batch failed; the plugin says why.
        """
        async with asyncio.timeout(timeout_s * (len(self._waiting) + 1)):
            if not await self._credits.take():
                raise self._broken or StreamBroken(None)
        self._sequence += 1
        sequence = self._sequence
        answer: asyncio.Future[pb.ProcessBatchResponse] = _new_future()
        self._waiting[sequence] = answer
        try:
            async with asyncio.timeout(timeout_s * len(self._waiting)):
                await self._send(with_batch(pb.StreamRequest(sequence=sequence), _BATCH, batch))
                return await answer
        finally:
            if self._waiting.pop(sequence, None) and not answer.done():
                self._given_up.add(sequence)

    async def close(self) -> None:
        """End the call."""
        self._call.end()
        await asyncio.wait([self._reading])

    async def _send(self, request: bytes) -> None:
        """Send *request*.

        Raises:
            StreamBroken: The call has ended.
        """
        if not await self._call.send(request):
            await asyncio.wait([self._reading])  # it learns with which status
            raise self._broken or StreamBroken(None)

    async def _read(self) -> None:
        broken: Exception = StreamBroken(None)
        try:
            while (data := await self._call.receive()) is not None:
                self._take(STREAM.parse(data))
        except grpc.aio.AioRpcError as error:
            broken = StreamBroken(error)
        except ProtocolViolation as error:
            broken = error
        finally:
            self._break(broken)
            self._call.end()

    def _take(self, response: pb.StreamResponse) -> None:
        """Pass an answer on to whoever waits for it.

        Raises:
            ProtocolViolation: Nobody asked, or the credits are beyond reason.
        """
        sequence = response.sequence
        if sequence in self._waiting:
            self._settle(self._waiting[sequence], response)
        elif sequence in self._given_up:
            self._given_up.discard(sequence)
        elif sequence:
            raise ProtocolViolation(f"expected an answer to an open batch, got one to {sequence}")
        self._granted += response.credits - bool(sequence)
        if self._granted > _MOST_CREDITS:
            raise ProtocolViolation(
                f"expected at most {_MOST_CREDITS} credits, got {self._granted}"
            )
        if response.credits:
            self._credits.grant(response.credits)

    def _settle(
        self, waiting: asyncio.Future[pb.ProcessBatchResponse], response: pb.StreamResponse
    ) -> None:
        if waiting.done():
            raise ProtocolViolation(f"got two answers to batch {response.sequence}")
        if response.HasField("error"):
            waiting.set_exception(decode_error(response.error))
        else:
            waiting.set_result(response.answer)

    def _break(self, error: Exception) -> None:
        if self._broken is not None:
            return
        self._broken = error
        self._credits.close(error)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # one whose caller is gone is nobody's loss


def _new_future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()
