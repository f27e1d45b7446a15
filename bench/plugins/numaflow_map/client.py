"""Sends messages to a map server of pynumaflow, one a frame of its stream, and prints the seconds.

Arguments: socket, file with a payload a line, number of messages.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import grpc
from google.protobuf.empty_pb2 import Empty
from pynumaflow.proto.mapper import map_pb2, map_pb2_grpc  # type: ignore[import-not-found]

IN_FLIGHT = 1000
"""Messages that wait for an answer at the same time."""
READY_TIMEOUT_S = 30


async def main(socket: str, payloads: list[bytes], messages: int) -> float:
    """Return the seconds from the first message sent to the last answer, both sides ready."""
    requests = [
        map_pb2.MapRequest(request=map_pb2.MapRequest.Request(value=payload), id=str(row))
        for row, payload in enumerate(payloads)
    ]
    room, ready = asyncio.Semaphore(IN_FLIGHT), asyncio.Event()

    async def outgoing() -> AsyncIterator[object]:
        yield map_pb2.MapRequest(handshake=map_pb2.Handshake(sot=True))
        await ready.wait()
        for request in islice(cycle(requests), messages):
            await room.acquire()
            yield request

    arrived, begun_s, ended_s = 0, 0.0, 0.0
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        stub = map_pb2_grpc.MapStub(channel)
        await stub.IsReady(Empty(), wait_for_ready=True, timeout=READY_TIMEOUT_S)
        async for response in stub.MapFn(outgoing()):
            if response.handshake.sot:
                begun_s = perf_counter()
                ready.set()
            elif response.results and b'"processed":true' in response.results[0].value:
                arrived += 1
                ended_s = perf_counter()
                room.release()
    if arrived != messages:
        raise SystemExit(f"expected {messages} changed messages, got {arrived}")
    return ended_s - begun_s


if __name__ == "__main__":
    lines = Path(sys.argv[2]).read_bytes().splitlines()
    print(asyncio.run(main(sys.argv[1], lines, int(sys.argv[3]))))
