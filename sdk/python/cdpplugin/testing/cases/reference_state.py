"""A plugin keeps what it has learnt for one life, and hands it over when asked."""

from __future__ import annotations

from typing import Any

from cdpplugin.testing.asking import ask_on, do
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import Skipped, case, equal, require

COUNT = do("count")


async def _counts(handle: Any, bench: Bench, messages: int) -> list[int]:
    answer = await ask_on(handle, bench, *[COUNT] * messages)
    return [answer.one(row).payload["count"] for row in range(messages)]


@case("processor", reference=True)
async def kept(bench: Bench) -> None:
    """State lasts from message to message and from batch to batch."""
    async with bench.life() as handle:
        equal([1, 2, 3], await _counts(handle, bench, 3), "the counts of the first batch")
        equal([4, 5], await _counts(handle, bench, 2), "the counts of the second batch")


@case("processor", reference=True)
async def own(bench: Bench) -> None:
    """Every instance has a state of its own, and begins anew."""
    async with bench.life() as first:
        equal([1, 2], await _counts(first, bench, 2), "the counts of the first instance")
        async with bench.life() as second:
            equal([1], await _counts(second, bench, 1), "the count of the second instance")
        equal([3], await _counts(first, bench, 1), "the count of the first instance")


@case("processor", reference=True)
async def handed_over(bench: Bench) -> None:
    """A new instance that is given the state of an old one goes on where that one was."""
    async with bench.instance() as old, bench.folder() as folder:
        if not getattr(old, "keeps_state", False):
            raise Skipped("this runtime hands over no state")
        await bench.configure(old, folder)
        await old.start(CONTEXT)
        await _counts(old, bench, 3)
        state = await old.export_state()
        await old.stop()
    require(isinstance(state, bytes) and state, f"the state is {state!r}")
    async with bench.instance() as new, bench.folder() as folder:
        await bench.configure(new, folder)
        await _start_with(new, state)
        equal([4], await _counts(new, bench, 1), "the count of the new instance")
        await new.stop()


async def _start_with(handle: Any, state: bytes) -> None:
    """Start *handle* with the state of another: with its start, or right after it."""
    if hasattr(handle, "import_state"):
        await handle.start(CONTEXT)
        await handle.import_state(state)
    else:
        await handle.start(CONTEXT, state)
