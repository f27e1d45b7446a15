"""A processor keeps up with long batches, and with several at once."""

from __future__ import annotations

import asyncio
from typing import Any

from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal
from cdpplugin.testing.checks import answer, sound
from cdpplugin.testing.samples import batch_for, samples

ROWS = 10_000
AT_ONCE = 8
ROWS_AT_ONCE = 500


@case("processor")
async def rows(bench: Bench) -> None:
    """Of 10,000 rows in one batch none is lost, none doubled, none moved."""
    handle = await bench.shared()
    expected = await _expected(bench, handle)
    batch = batch_for(bench, samples(bench, ROWS))
    if expected is None:
        sound(await handle.process_batch(batch), ROWS, bench.metadata)
        return
    _compare(expected, await answer(handle, batch, bench.metadata))


@case("processor")
async def at_once(bench: Bench) -> None:
    """Several batches handed over at once are each answered completely, none for another."""
    handle = await bench.shared()
    expected = await _expected(bench, handle)
    messages = samples(bench, ROWS_AT_ONCE + AT_ONCE)

    async def one(first: int) -> None:
        batch = batch_for(bench, messages[first : first + ROWS_AT_ONCE])
        got = await answer(handle, batch, bench.metadata)
        if expected is not None:
            _compare(expected, got, first)

    await asyncio.gather(*(one(first) for first in range(AT_ONCE)))


async def _expected(bench: Bench, handle: Any) -> list[Any] | None:
    """Return what comes of each sample, or None where that depends on what came before."""
    if bench.metadata.stateful:
        return None
    return await answer(handle, batch_for(bench, samples(bench)), bench.metadata)


def _compare(expected: list[Any], got: list[Any], first: int = 0) -> None:
    for row, came in enumerate(got):
        equal(expected[(first + row) % len(expected)], came, f"what comes of row {row}")
