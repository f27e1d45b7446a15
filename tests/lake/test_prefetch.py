"""Loading ahead: in order, within bounds."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from cdp_pipeline.connectors.stellar.lake.prefetch import Prefetch, PrefetchLimits


class Loads:
    """Loads that end when they are told to."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.cancelled: list[int] = []
        self.ends: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.errors: dict[int, Exception] = {}

    async def load(self, number: int) -> int:
        self.started.append(number)
        try:
            await self.ends[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if number in self.errors:
            raise self.errors[number]
        return number

    async def end(self, *numbers: int) -> None:
        """End loads and let everything that follows from it happen."""
        for number in numbers:
            self.ends[number].set()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def loads() -> Loads:
    return Loads()


def prefetch(
    loads: Loads, *, parallel: int = 3, items: int = 5, size_bytes: int = 1000, size: int = 1
) -> Prefetch[int]:
    limits = PrefetchLimits(parallel=parallel, items=items, size_bytes=size_bytes)
    return Prefetch(loads.load, lambda _: size, limits)


class TestPrefetch:
    async def test_order(self, loads: Loads) -> None:
        """Items come out in order, whichever load ends first."""
        ahead = prefetch(loads)
        await ahead.start(7, 9)
        await loads.end(9, 8, 7)

        assert [7, 8, 9] == [await ahead.read() for _ in range(3)]

    async def test_parallel_and_items(self, loads: Loads) -> None:
        """No more loads run at once than allowed, and no more items are held."""
        ahead = prefetch(loads, parallel=3, items=5)
        await ahead.start(0, None)
        await loads.end()
        assert [0, 1, 2] == loads.started
        await loads.end(*range(50))
        assert [0, 1, 2, 3, 4] == loads.started
        await ahead.aclose()

    async def test_bytes(self, loads: Loads) -> None:
        """Once sizes are known, the bytes ahead of the reader stay within the bound."""
        ahead = prefetch(loads, parallel=2, items=50, size_bytes=400, size=100)
        await ahead.start(0, None)
        await loads.end(*range(50))
        assert [0, 1, 2, 3] == loads.started
        await ahead.read()
        await loads.end()
        assert [0, 1, 2, 3, 4] == loads.started
        await ahead.aclose()

    async def test_one_item_beyond_the_bound(self, loads: Loads) -> None:
        """An item larger than the whole bound still comes through."""
        ahead = prefetch(loads, parallel=1, size_bytes=10, size=100)
        await ahead.start(0, 2)
        await loads.end(0, 1, 2)

        assert [0, 1, 2] == [await ahead.read() for _ in range(3)]

    async def test_window_grows(self, loads: Loads) -> None:
        """A small window looks one ahead at first, then further with every item."""
        ahead = prefetch(loads, parallel=10, items=50)
        await ahead.start(0, None, window=1)
        await loads.end(*range(50))
        assert 1 == len(loads.started)
        await ahead.read()
        await loads.end()
        assert 3 == len(loads.started)
        await ahead.aclose()

    async def test_an_error_comes_in_its_turn(self, loads: Loads) -> None:
        """A load that fails raises where its item would have come out."""
        ahead = prefetch(loads)
        loads.errors[1] = ValueError("load 1")
        await ahead.start(0, 2)
        await loads.end(0, 1, 2)

        assert 0 == await ahead.read()
        with pytest.raises(ValueError, match="load 1"):
            await ahead.read()
        await ahead.aclose()

    async def test_close_leaves_nothing_running(self, loads: Loads) -> None:
        """Closing cancels what loads and waits for it."""
        ahead = prefetch(loads)
        await ahead.start(0, None)
        await loads.end()
        await ahead.aclose()

        assert [0, 1, 2] == loads.cancelled

    async def test_a_cancelled_reader(self, loads: Loads) -> None:
        """Cancelling the reader leaves its item loading; the next read gets it."""
        ahead = prefetch(loads)
        await ahead.start(0, 2)
        reader = asyncio.create_task(ahead.read())
        await loads.end()
        reader.cancel()
        await asyncio.wait({reader})
        await loads.end(0)

        assert 0 == await ahead.read()
        await ahead.aclose()
