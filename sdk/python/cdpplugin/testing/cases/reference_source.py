"""What a source reads arrives with its positions, and what the host tells it arrives there."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from cdpplugin.delivery import Resume, SourceBatch
from cdpplugin.errors import Fatal, PluginError, Retry
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import Failed, case, equal, fail, require
from cdpplugin.testing.reading import Reading, read

NUMBER = "Reference.Number"
FAR = 60_000_000_000
"""A position beyond 32 bits."""


async def _read(bench: Bench, after: Resume | None = None, **config: Any) -> Reading:
    async with bench.life(**config) as handle:
        return await read(handle, after, patience_s=bench.subject.patience_s)


def _values(reading: Reading) -> list[Any]:
    return [
        batch.batch.payloads.value(row)
        for batch in reading.batches
        for row in range(len(batch.batch))
    ]


@case("source", reference=True)
async def exact(bench: Bench) -> None:
    """Rows, positions, marks and tokens arrive as the source gives them, gaps included."""
    reading = await _read(bench, first=5, last=9, rows=2, batch=2, gaps=3)
    require(reading.ended, "the stream did not end")
    equal([5, 5, 7, 7, 8, 8], [row.position for row in reading.rows()], "the positions")
    expected = [f"number:{position}:{index}" for position in (5, 7, 8) for index in (0, 1)]
    equal(expected, [row.id for row in reading.rows()], "the ids")
    equal({NUMBER}, {row.type for row in reading.rows()}, "the types")
    equal(9, reading.mark, "the last mark")
    told = [(batch.mark, batch.token) for batch in reading.batches if batch.token]
    equal([(6, b"6"), (8, b"8"), (9, b"9")], told, "the marks and tokens")


@case("source", reference=True)
async def described(bench: Bench) -> None:
    """The description arrives with everything in it."""
    async with bench.life(first=FAR, last=FAR + 7) as handle:
        told = await handle.describe()
    got = (told.identity, told.unit, told.first, told.last, told.start, told.network)
    expected = ("cdp-reference-source", "positions", FAR, FAR + 7, str(FAR), CONTEXT.network)
    equal(expected, got, "the description")


@case("source", reference=True)
async def unbounded(bench: Bench) -> None:
    """A stream without an end goes on until it is no longer read, and tells no last position."""
    async with bench.life(last=None) as handle:
        equal(None, (await handle.describe()).last, "the last position")
        reading = await read(handle, patience_s=bench.subject.patience_s, batches=50)
    require(not reading.ended, "the stream ended")
    equal(50, len(reading.batches), "the number of batches")


@case("source", reference=True)
async def far(bench: Bench) -> None:
    """Positions beyond 32 bits are exact."""
    reading = await _read(bench, first=FAR, last=FAR + 2)
    equal([FAR, FAR + 1, FAR + 2], [row.position for row in reading.rows()], "the positions")
    equal(FAR + 2, reading.mark, "the last mark")


@case("source", reference=True)
async def resumed(bench: Bench) -> None:
    """Position and token reach the source when it goes on, and it begins behind them."""
    token = bytes(range(256))
    reading = await _read(bench, Resume(7, token), first=1, last=9)
    equal([8, 9], [row.position for row in reading.rows(7)], "the positions")
    told = {"position": 7, "token": token.hex()}
    equal(told, _values(reading)[-1]["resumed"], "what the source was told")
    equal(None, _values(await _read(bench, last=1))[0]["resumed"], "what it was told at the start")


@case("source", reference=True)
async def resumed_at_end(bench: Bench) -> None:
    """A stream that goes on after its last position ends without a row."""
    reading = await _read(bench, Resume(9), first=1, last=9)
    require(reading.ended, "the stream did not end")
    equal([], reading.rows(9), "the rows")


@case("source", reference=True)
async def acknowledged(bench: Bench) -> None:
    """What is durable becomes known to the source while it reads."""
    async with bench.life(last=None) as handle, aclosing(handle.read(None)) as stream:
        found = await anext(stream)
        async for later in stream:
            if later.batch.payloads.value(0)["acknowledged"] >= found.mark:
                return
            await handle.acknowledge(found.mark)
            require(later.mark < 5_000, "it was not told within 5,000 positions")


@case("source", reference=True)
async def acknowledged_after_end(bench: Bench) -> None:
    """A source hears of everything durable, also after its end."""
    for batches, what in ((9, "its end"), (2, "it was left")):
        async with bench.life(last=4) as handle:
            patience_s = bench.subject.patience_s
            first = await read(handle, patience_s=patience_s, batches=batches)
            require(first.ended == (batches > 4), f"of 4 batches {len(first.batches)} came")
            await handle.acknowledge(first.mark)
            again = await read(handle, patience_s=patience_s, batches=1)
        told = _values(again)[0]["acknowledged"]
        equal(first.mark, told, f"what it was told to be durable after {what}")


@case("source", reference=True)
async def fails(bench: Bench) -> None:
    """What was read before an error arrives, then the error as the instruction it is."""
    for instruction, kind in (("fail", PluginError), ("retry", Retry), ("fatal", Fatal)):
        positions, error = await _failing(bench, fail_with=instruction)
        equal([1, 2, 3], positions, f"the positions before `{instruction}`")
        require(isinstance(error, kind), f"`{instruction}` came as {type(error).__name__}: {error}")
        got = (str(error), error.code, error.hint)
        equal(("cannot read position 4", "reference.read", "read it later"), got, "the error")


@case("source", reference=True)
async def panics(bench: Bench) -> None:
    """Anything else that a source raises arrives with its text, and is no instruction."""
    positions, error = await _failing(bench, fail_with="panic")
    equal([1, 2, 3], positions, "the positions before it")
    require("reading panicked at 4" in str(error), f"the text is lost: {error}")
    require(not isinstance(error, Retry | Fatal), f"it came as {type(error).__name__}")


async def _failing(bench: Bench, **config: Any) -> tuple[list[int], PluginError]:
    async with bench.life(last=9, fail_at=4, **config) as handle:
        positions: list[int] = []
        try:
            async with aclosing(handle.read(None)) as stream:
                async for found in stream:
                    positions += found.positions
        except Exception as error:
            return positions, error if isinstance(error, PluginError) else PluginError(str(error))
    raise Failed("the source did not fail")


@case("source", reference=True)
async def goes_on(bench: Bench) -> None:
    """After an error that passes the same life is read again from where it was."""
    async with bench.life(last=6, fail_at=4, fail_with="retry") as handle:
        found: list[SourceBatch] = []
        try:
            async with aclosing(handle.read(None)) as stream:
                found.extend([each async for each in stream])
            fail("the source did not fail")
        except Retry:
            pass
        rest = await read(handle, Resume(3, b"3"), patience_s=bench.subject.patience_s)
    equal([4, 5, 6], [row.position for row in rest.rows(3)], "the positions of the second reading")
    require(rest.ended, "the second reading did not end")


@case("source", reference=True)
async def large(bench: Bench) -> None:
    """A batch of 32 rows of 1 MiB each arrives whole."""
    reading = await _read(bench, last=32, batch=32, size_bytes=1 << 20)
    equal(list(range(1, 33)), [row.position for row in reading.rows()], "the positions")
    equal({1 << 20}, {len(value["filler"]) for value in _values(reading)}, "the sizes")
