"""Batches over the single-message call, for plugins that know nothing else: pipelined.

Source: `spec/handshake.md`, section 4, Process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cdp_pipeline.runtimes.encodable import encodable
from cdp_pipeline.runtimes.grpc.faults import MessageTooLarge, PluginCrashed
from cdp_pipeline.runtimes.grpc.sizes import ENVELOPE_BYTES
from cdpplugin import Batch, Encoding, Outputs, PluginError
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import collect_responses, encode_requests

IN_FLIGHT = 16
"""Calls that wait for an answer at the same time."""

Answer = pb.ProcessResponse | PluginError
Call = Callable[[pb.ProcessRequest], Awaitable[pb.ProcessResponse]]


async def process_singly(
    batch: Batch, call: Call, *, encoding: Encoding, limit_bytes: int, in_flight: int = IN_FLIGHT
) -> Outputs:
    """Return the answers of *call* to the rows of *batch*, in their order.

    Raises:
        PluginCrashed: The plugin died; the batch has to be asked again.
    """
    held, rows, errors = encodable(batch, encoding)
    answers: dict[int, Answer] = dict(errors)
    requests = zip(rows, encode_requests(held, encoding), strict=True)
    room = limit_bytes - ENVELOPE_BYTES

    async def work() -> None:
        for row, request in requests:
            answers[row] = await _answer(request, call, room)

    workers = [asyncio.ensure_future(work()) for _ in range(min(in_flight, len(held)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
    return collect_responses([answers[row] for row in range(len(batch))])


async def _answer(request: pb.ProcessRequest | PluginError, call: Call, room: int) -> Answer:
    if isinstance(request, PluginError):
        return request
    size = request.ByteSize()
    if size > room:
        return MessageTooLarge(f"expected a message of at most {room} bytes, got one of {size}")
    try:
        return await call(request)
    except PluginCrashed:
        raise
    except PluginError as error:
        return error
