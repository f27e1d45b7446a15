"""Let many work together, or one alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Whoever wants to be alone waits for those who began before, and goes before all others."""

    def __init__(self) -> None:
        self._together = 0
        self._wanting = 0
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._open = asyncio.Event()
        self._open.set()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """Work beside others; wait as long as somebody is, or wants to be, alone."""
        while not self._open.is_set():
            await self._open.wait()
        self._together += 1
        self._nobody.clear()
        try:
            yield
        finally:
            self._together -= 1
            if not self._together:
                self._nobody.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Work alone; those who want the same come in the order in which they asked."""
        self._wanting += 1
        self._open.clear()
        try:
            async with self._turn:
                await self._nobody.wait()
                yield
        finally:
            self._wanting -= 1
            if not self._wanting:
                self._open.set()
