"""What a consumer is handed reaches its code whole; what it says of it reaches the host.

A reference consumer keeps its rows in a file, which is read here to see what it took.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cdpplugin.delivery import Delivery
from cdpplugin.errors import Fatal, PluginError, Retry
from cdpplugin.message import Message
from cdpplugin.testing.asking import do
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import Failed, case, equal, require
from cdpplugin.testing.samples import AWKWARD, batch_of, message

FAR = 60_000_000_000
OTHER = replace(CONTEXT, stage="other")


def _kept(folder: Path, stage: str = CONTEXT.stage) -> Any:
    """Return what a reference consumer holds: its position and its rows."""
    file = folder / f"{CONTEXT.pipeline}.{stage}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else {"position": -1, "rows": []}


def _numbers(folder: Path, stage: str = CONTEXT.stage) -> list[Any]:
    return [row["payload"] for row in _kept(folder, stage)["rows"]]


def _delivery(positions: Sequence[int], through: int | None = None) -> Delivery:
    """Return a row for each of *positions*, which is its payload."""
    messages = [message(position, number) for number, position in enumerate(positions)]
    mark = positions[-1] if through is None else through
    return Delivery(batch_of(messages), list(positions), mark)


@case("consumer", reference=True)
async def whole(bench: Bench) -> None:
    """Every attribute of a message, its position and the mark reach the consumer exactly."""
    sent = [message(dict(AWKWARD), 0, metadata=dict(AWKWARD)), Message(type="Bare", payload=None)]
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            equal(-1, await handle.durable_position(), "the position before")
            got = await handle.consume(Delivery(batch_of(sent), [FAR, FAR + 2], FAR + 5))
            equal(FAR + 5, got, "the position that is durable")
        kept = _kept(folder)
    equal(FAR + 5, kept["position"], "the mark that was kept")
    equal([FAR, FAR + 2], [row["position"] for row in kept["rows"]], "the positions")
    for row, expected in zip(kept["rows"], sent, strict=True):
        for name in ("id", "type", "payload", "metadata", "trace_id", "content_type"):
            equal(getattr(expected, name), row[name], f"the {name} of `{expected.id}`")
        equal(asdict(expected.source), row["source"], f"the source of `{expected.id}`")


@case("consumer", reference=True)
async def ordered(bench: Bench) -> None:
    """Deliveries reach the consumer in their order, each row once."""
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            await handle.durable_position()
            for first in range(1, 200, 7):
                await handle.consume(_delivery(range(first, first + 7)))
        equal(list(range(1, 204)), _numbers(folder), "the rows")


@case("consumer", reference=True)
async def held_back(bench: Bench) -> None:
    """What a consumer holds back is not called durable before it is flushed."""
    async with bench.folder() as folder:
        async with bench.life(folder, hold_back=True) as handle:
            await handle.durable_position()
            equal(None, await handle.consume(_delivery([1, 2])), "what is durable")
            equal(None, await handle.consume(_delivery([3])), "what is durable")
            equal([], _numbers(folder), "the rows before the flush")
            equal(3, await handle.flush(), "what is durable after the flush")
            equal([1, 2, 3], _numbers(folder), "the rows after the flush")
        equal([1, 2, 3], _numbers(folder), "the rows after the end")


@case("consumer", reference=True)
async def once(bench: Bench) -> None:
    """A replay that is cut in another way, into another life, doubles no row and loses none."""
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            await handle.durable_position()
            await handle.consume(_delivery([1, 1, 2]))
            await handle.consume(_delivery([3, 4]))
        async with bench.life(folder) as handle:
            equal(4, await handle.durable_position(), "the position of the second life")
            for positions in ([1], [1, 2, 3], [4, 5], [6]):
                await handle.consume(_delivery(positions))
        equal([1, 1, 2, 3, 4, 5, 6], _numbers(folder), "the rows")


@case("consumer", reference=True)
async def instructed(bench: Bench) -> None:
    """What a consumer raises arrives as the instruction it is, with code, message and hint."""
    texts = {"message": "the disk is full é", "code": "reference.full", "hint": "delete é"}
    for action, kind in (("fail", PluginError), ("retry", Retry), ("fatal", Fatal)):
        error = await _refused(bench, do(action, **texts))
        require(isinstance(error, kind), f"`{action}` came as {type(error).__name__}: {error}")
        got = {"message": str(error), "code": error.code, "hint": error.hint}
        equal(texts, got, f"the error of `{action}`")


@case("consumer", reference=True)
async def panics(bench: Bench) -> None:
    """Anything else that a consumer raises arrives with its text, and is no instruction."""
    error = await _refused(bench, do("panic", message="no such é"))
    require("no such é" in str(error), f"the text is lost: {error}")
    require(not isinstance(error, Retry | Fatal), f"it came as {type(error).__name__}")


async def _refused(bench: Bench, payload: Any) -> PluginError:
    """Return how a delivery with *payload* is refused; nothing of it may be kept."""
    sent = batch_of([message(1, 0), message(payload, 1), message(3, 2)])
    async with bench.folder() as folder, bench.life(folder) as handle:
        await handle.durable_position()
        try:
            await handle.consume(Delivery(sent, [1, 2, 3], 3))
        except Exception as error:
            equal([], _numbers(folder), "the rows of a delivery that failed")
            return error if isinstance(error, PluginError) else PluginError(str(error))
    raise Failed(f"`{payload['do']}` was taken")


@case("consumer", reference=True)
async def tried_again(bench: Bench) -> None:
    """The same delivery, after a retry was asked for, is taken whole and once."""
    again = do("retry", times=2, after_s=0.25)
    sent = Delivery(batch_of([message(1, 0), message(again, 1)]), [1, 2], 2)
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            await handle.durable_position()
            for _ in range(2):
                equal(0.25, await _wait_s(handle, sent), "the wait that was asked for")
            equal(2, await handle.consume(sent), "what is durable in the end")
            equal(3, await handle.consume(_delivery([3])), "what is durable next")
        equal([1, again, 3], _numbers(folder), "the rows")


async def _wait_s(handle: Any, sent: Delivery) -> float | None:
    try:
        await handle.consume(sent)
    except Retry as error:
        return error.after_s
    raise Failed("the delivery was taken")


@case("consumer", reference=True)
async def keyed(bench: Bench) -> None:
    """Two stages of a pipeline keep a position each, and forget only their own."""
    async with bench.folder() as folder:
        for context, last in ((CONTEXT, 3), (OTHER, 5)):
            async with bench.life(folder, context=context) as handle:
                equal(-1, await handle.durable_position(), f"the position of `{context.stage}`")
                await handle.consume(_delivery(range(1, last + 1)))
        async with bench.instance() as handle:
            await bench.configure(handle, folder)
            done = list(await handle.forget(CONTEXT))
        equal(["forgot 3 rows of `conformance.under-test`"], done, "what was done")
        equal([], _numbers(folder), "the rows that were forgotten")
        equal([1, 2, 3, 4, 5], _numbers(folder, OTHER.stage), "the rows of the other stage")


@case("consumer", reference=True)
async def large(bench: Bench) -> None:
    """A delivery of 32 rows of 1 MiB each is taken whole."""
    texts = [str(number % 10) * (1 << 20) for number in range(32)]
    sent = batch_of([message(text, number) for number, text in enumerate(texts)])
    async with bench.folder() as folder:
        async with bench.life(folder) as handle:
            await handle.durable_position()
            equal(40, await handle.consume(Delivery(sent, range(1, 33), 40)), "what is durable")
        require(texts == _numbers(folder), "the rows are not those that were sent")
