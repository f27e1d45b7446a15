"""A source gives its stream in order, goes on where it left off, and can be told to end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

from cdpplugin.delivery import Resume, SourceDescription
from cdpplugin.payloads import PayloadInvalid
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped, case, equal, fail, require
from cdpplugin.testing.reading import Reading, read, rows_of


async def _read(bench: Bench, after: Resume | None = None, **limits: Any) -> Reading:
    """Read in a life of its own.

    Raises:
        Skipped: The source gives nothing while it is listened to.
    """
    async with bench.life() as handle:
        reading = await read(handle, after, patience_s=bench.subject.patience_s, **limits)
    if not reading.batches and after is None:
        raise Skipped(f"the source gave nothing for {bench.subject.patience_s:g} s")
    return reading


@case("source")
async def description(bench: Bench) -> None:
    """A started source names its stream, the same in every life."""
    described = []
    for _ in range(2):
        async with bench.life() as handle:
            described.append(await handle.describe())
    first = described[0]
    require(isinstance(first, SourceDescription), f"got {type(first).__name__}")
    require(first.identity, "the stream has no identity")
    equal(first.identity, described[1].identity, "the identity in a second life")
    if first.first is not None and first.last is not None:
        require(first.first <= first.last + 1, f"it goes from {first.first} to {first.last}")


@case("source")
async def order(bench: Bench) -> None:
    """Positions never decrease, and no row comes at or before a mark that was given."""
    reading = await _read(bench)
    if reading.ended:
        last = reading.rows()[-1:]
        kept = not last or (reading.mark is not None and reading.mark >= last[0].position)
        require(kept, f"the stream ends with the mark {reading.mark} before its last row")


@case("source")
async def messages(bench: Bench) -> None:
    """Every row is a message: a type that the metadata name, JSON where it says JSON."""
    declared = bench.metadata.output_types
    for found in (await _read(bench)).batches:
        for row in rows_of(found):
            require(row.type, f"a row at position {row.position} has no type")
            known = not declared or row.type in declared
            require(known, f"type `{row.type}` is not among {list(declared)}")
        if found.batch.payloads.encoding in ("json", "sep51"):
            _decode(found.batch.payloads)


def _decode(payloads: Any) -> None:
    for row in range(len(payloads)):
        try:
            payloads.value(row)
        except PayloadInvalid as error:
            fail(f"a payload is not JSON: {error}")


@case("source")
async def range_kept(bench: Bench) -> None:
    """Positions stay within the range that the description tells."""
    async with bench.life() as handle:
        told = await handle.describe()
        reading = await read(handle, patience_s=bench.subject.patience_s)
    for row in reading.rows():
        require(told.first is None or row.position >= told.first, f"{row.position} is too early")
        require(told.last is None or row.position <= told.last, f"{row.position} is too late")
    if told.last is not None and reading.ended:
        equal(told.last, reading.mark, "the last mark of a bounded stream")


@case("source")
async def repeated(bench: Bench) -> None:
    """A second life reads the same rows in the same order."""
    first, second = [(await _read(bench)).rows() for _ in range(2)]
    both = min(len(first), len(second))
    for expected, got in zip(first[:both], second[:both], strict=True):
        equal(expected.identity, got.identity, "the row that was read again")


@case("source")
async def resumed(bench: Bench) -> None:
    """A new life that goes on after a position gives every row beyond it, none lost."""
    reading = await _read(bench)
    count = len(reading.batches)
    for seen in sorted({1, count // 2, count}):
        after = reading.resume(seen)
        if after is not None:
            await _compare(bench, reading, after)


async def _compare(bench: Bench, reading: Reading, after: Resume) -> None:
    expected = [row.identity for row in reading.rows(after.position)]
    rest = await _read(bench, after)
    got = [row.identity for row in rest.rows(after.position)]
    if not reading.ended:
        both = min(len(expected), len(got))
        require(both or not expected, f"nothing comes after position {after.position}")
        expected, got = expected[:both], got[:both]
    equal(len(expected), len(got), f"the number of rows beyond position {after.position}")
    for one, other in zip(expected, got, strict=True):
        equal(one, other, f"a row beyond position {after.position}")


@case("source")
async def acknowledged(bench: Bench) -> None:
    """What is durable may be told at any time while the source reads, and twice."""
    async with bench.life() as handle, aclosing(handle.read(None)) as stream:
        for _ in range(5):
            found = await _first(stream, bench)
            if found is None:
                return
            for _ in range(2 if found.mark is not None else 0):
                await handle.acknowledge(found.mark)


@case("source")
async def acknowledged_after_end(bench: Bench) -> None:
    """What is durable may be told after the source has ended, or is no longer read."""
    async with bench.life() as handle:
        reading = await read(handle, patience_s=bench.subject.patience_s)
        for batch in reading.batches:
            if batch.mark is not None:
                await handle.acknowledge(batch.mark)


async def _first(stream: Any, bench: Bench) -> Any:
    try:
        async with asyncio.timeout(bench.subject.patience_s):
            return await anext(stream, None)
    except TimeoutError:
        return None


@case("source")
async def cancelled(bench: Bench) -> None:
    """A source that is no longer read lets go at once, and stops in good order."""
    async with bench.life() as handle:
        reading = asyncio.create_task(read(handle, patience_s=bench.subject.bound_s))
        await asyncio.sleep(0.05)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


@case("source")
async def left_early(bench: Bench) -> None:
    """A source of which only the first batch was taken stops in good order."""
    await _read(bench, batches=1)


@case("source")
async def read_again(bench: Bench) -> None:
    """A source that is read a second time in one life goes on where it is told."""
    async with bench.life() as handle:
        patience_s = bench.subject.patience_s
        first = await read(handle, patience_s=patience_s, batches=1)
        after = first.resume(1)
        if after is None:
            raise Skipped("the source gave no mark with its first batch")
        rest = await read(handle, after, patience_s=patience_s, batches=3)
    whole = (await _read(bench, batches=4)).rows(after.position)
    got = rest.rows(after.position)
    both = min(len(whole), len(got))
    expected, found = ([row.identity for row in rows[:both]] for rows in (whole, got))
    equal(expected, found, "what it goes on with")
