"""A consumer says what is durable, never too much, and takes again what it has taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.delivery import Delivery
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import Skipped, case, equal, require
from cdpplugin.testing.samples import batch_for, samples

ROWS = 10_000


def delivery(bench: Bench, first: int, last: int, rows: int = 0) -> Delivery:
    """Return sample messages spread over positions *first* to *last*."""
    batch = batch_for(bench, samples(bench, rows))
    span = last - first + 1
    positions = [first + row * span // len(batch) for row in range(len(batch))]
    return Delivery(batch, positions, last)


def _sound(durable: Any, through: int) -> None:
    """Require that *durable* is a position that was handed over, or nothing."""
    if durable is None:
        return
    require(type(durable) is int, f"expected a position or None, got {durable!r}")
    require(durable <= through, f"{durable} is called durable, handed over is {through}")


@case("consumer")
async def delivered(bench: Bench) -> None:
    """A delivery is answered with a position through which all is durable, or with none."""
    async with bench.life() as handle:
        before = await handle.durable_position()
        _sound(before, -1)
        _sound(await handle.consume(delivery(bench, 10, 12)), 12)
        _sound(await handle.consume(delivery(bench, 13, 13)), 13)


@case("consumer")
async def mark_only(bench: Bench) -> None:
    """A delivery of no messages, only with a mark, is taken."""
    async with bench.life() as handle:
        await handle.durable_position()
        for mark in (5, 5, 9):
            _sound(await handle.consume(Delivery(Batch.empty(), [], mark)), mark)
        _sound(await handle.flush(), 9)


@case("consumer")
async def flushed(bench: Bench) -> None:
    """After a flush everything is durable through the mark of the last delivery."""
    async with bench.life() as handle:
        await handle.durable_position()
        durable = await handle.consume(delivery(bench, 1, 3))
        flush = await handle.flush()
        last = flush if flush is not None else durable
        require(last is not None, "neither the delivery nor the flush says what is durable")
        equal(3, last, "the position that is durable after the flush")


@case("consumer")
async def flush_without_work(bench: Bench) -> None:
    """A flush of nothing is answered, and calls nothing durable that was not handed over."""
    async with bench.life() as handle:
        await handle.durable_position()
        _sound(await handle.flush(), -1)


@case("consumer")
async def never_less(bench: Bench) -> None:
    """What was called durable once stays so: positions never decrease."""
    async with bench.life() as handle:
        last = await handle.durable_position()
        for mark in range(1, 8):
            durable = await handle.consume(delivery(bench, mark, mark))
            if durable is not None:
                require(last is None or durable >= last, f"{durable} comes after {last}")
                last = durable
        durable = await handle.flush()
        require(durable is None or last is None or durable >= last, f"{durable} after {last}")


@case("consumer")
async def repeated(bench: Bench) -> None:
    """A delivery that comes a second time is taken as before."""
    async with bench.life() as handle:
        await handle.durable_position()
        for _ in range(2):
            _sound(await handle.consume(delivery(bench, 1, 4)), 4)
        _sound(await handle.consume(delivery(bench, 3, 6)), 6)
        _sound(await handle.flush(), 6)


@case("consumer")
async def cut_position(bench: Bench) -> None:
    """Rows of one position that are split over two deliveries are both taken."""
    async with bench.life() as handle:
        await handle.durable_position()
        for mark in (6, 7):
            whole = delivery(bench, 7, 7)
            _sound(await handle.consume(Delivery(whole.batch, whole.positions, mark)), mark)
        _sound(await handle.flush(), 7)


@case("consumer")
async def rows(bench: Bench) -> None:
    """A delivery of 10,000 rows is taken."""
    async with bench.life() as handle:
        await handle.durable_position()
        _sound(await handle.consume(delivery(bench, 1, ROWS, ROWS)), ROWS)
        _sound(await handle.flush(), ROWS)


@case("consumer")
async def restarted(bench: Bench) -> None:
    """A new life knows exactly what was durable, neither more nor less."""
    async with bench.folder() as folder:
        kept = await _position(bench, folder)
        if kept is None:
            raise Skipped("the consumer keeps no position of its own")
        equal(-1, kept, "the position of a consumer that holds nothing")
        async with bench.life(folder) as handle:
            await handle.durable_position()
            durable = await handle.consume(delivery(bench, 1, 3))
            flush = await handle.flush()
            told = max(each for each in (durable, flush, -1) if each is not None)
        equal(told, await _position(bench, folder), "the position in the next life")


async def _position(bench: Bench, folder: Path) -> int | None:
    async with bench.life(folder) as handle:
        position: int | None = await handle.durable_position()
    return position


@case("consumer")
async def forgotten(bench: Bench) -> None:
    """A consumer that was told to forget holds nothing in its next life."""
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            keeps = await handle.durable_position()
            await handle.consume(delivery(bench, 1, 3))
            await handle.flush()
        async with bench.instance() as handle:
            await bench.configure(handle, folder)
            done = await handle.forget(CONTEXT)
            require(all(isinstance(line, str) for line in done), f"it says {done!r}")
        if keeps is None:
            return
        require(list(done), "it keeps a position and does not say what it has done to it")
        equal(-1, await _position(bench, folder), "the position after it was told to forget")
