"""However many batches are in work, each answer belongs to its batch, in its order."""

from __future__ import annotations

import asyncio

from cdpplugin.testing.asking import ask_on, do
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal

BATCHES = 12
ROWS = 40


@case("processor", reference=True)
async def kept(bench: Bench) -> None:
    """Batches handed over at once, of which the first take longest, are not mixed up."""
    handle = await bench.shared()

    async def one(number: int) -> None:
        wait = do("sleep", seconds=(BATCHES - number) * 0.005, batch=number, row=0)
        rest = [{"do": "echo", "batch": number, "row": row} for row in range(1, ROWS)]
        answer = await ask_on(handle, bench, wait, *rest)
        got = [answer.one(row).payload for row in range(ROWS)]
        equal([(number, row) for row in range(ROWS)], [(p["batch"], p["row"]) for p in got], "rows")

    await asyncio.gather(*(one(number) for number in range(BATCHES)))


@case("processor", reference=True)
async def cancelled(bench: Bench) -> None:
    """A batch that the host gives up costs no other its answer."""
    async with bench.life() as handle:
        slow = asyncio.create_task(ask_on(handle, bench, do("sleep", seconds=0.3)))
        await asyncio.sleep(0.02)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        answer = await ask_on(handle, bench, {"do": "echo", "n": 1})
        equal({"do": "echo", "n": 1}, answer.one().payload, "the next answer")


@case("processor", reference=True)
async def failing_beside(bench: Bench) -> None:
    """A batch that fails in every row costs those in work beside it nothing."""
    handle = await bench.shared()
    bad = [ask_on(handle, bench, *[do("panic", message="x")] * ROWS) for _ in range(4)]
    good = [ask_on(handle, bench, *[do("echo")] * ROWS) for _ in range(4)]
    for number, answer in enumerate(await asyncio.gather(*bad, *good)):
        equal(ROWS if number < 4 else 0, len(answer.errors), "the number of errors")
        equal(0 if number < 4 else ROWS, sum(answer.counts), "the number of outputs")
