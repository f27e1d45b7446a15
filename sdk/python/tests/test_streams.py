"""Streams that end while a message is on its way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cdpplugin.server.streams import write


class Slow:
    """A call whose messages are on their way until it is told that they have come."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.come = asyncio.Event()
        self.sent: list[Any] = []

    async def write(self, response: Any) -> None:
        self.begun.set()
        await self.come.wait()
        self.sent.append(response)


async def test_a_message_is_sent_before_its_stream_ends() -> None:
    """Who is cancelled while sending goes on until it is sent: a status would meet it halfway."""
    call = Slow()
    sending = asyncio.create_task(write(call, 1))  # type: ignore[arg-type]
    await call.begun.wait()
    sending.cancel()
    await asyncio.sleep(0)
    assert not sending.done()
    call.come.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [1] == call.sent
