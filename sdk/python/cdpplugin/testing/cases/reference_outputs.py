"""None, one or several outputs: each arrives, in its place, with what its author set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdpplugin.message import Message
from cdpplugin.metadata import SourceInfo
from cdpplugin.testing.asking import ECHO, ask, do, send
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal
from cdpplugin.testing.samples import SOURCE, TRACE_ID, batch_of, message

PART = "Reference.Part"


@case("processor", reference=True)
async def echo(bench: Bench) -> None:
    """A message that passes arrives as it was sent, in every attribute."""
    sent = [
        message({"do": "echo", "n": number}, number, content_type=content_type)
        for number, content_type in enumerate(("application/json", "application/x-é+json"))
    ]
    sent.append(Message(id="bare", type="Bare", payload=ECHO))
    answer = await send(await bench.shared(), batch_of(sent), bench.metadata)
    for row, expected in enumerate(sent):
        _same(expected, answer.one(row))


def _same(expected: Message, got: Message) -> None:
    for name in ("id", "type", "payload", "metadata", "source", "trace_id", "content_type"):
        equal(getattr(expected, name), getattr(got, name), f"the {name} of `{expected.id}`")


@case("processor", reference=True)
async def undirected(bench: Bench) -> None:
    """A payload that asks for nothing passes as it came, be it an object or not."""
    payloads: tuple[Any, ...] = ({"n": 1}, {}, [1, "two"], "text", 5, None)
    answer = await ask(bench, *payloads)
    equal(list(payloads), [answer.one(row).payload for row in range(6)], "the payloads")


@case("processor", reference=True)
async def dropped(bench: Bench) -> None:
    """A message may be left out: with a reason, which is counted, or without a word."""
    reasons = [do("drop"), do("drop", reason="small"), do("drop", reason="é"), do("drop")]
    answer = await ask(bench, ECHO, *reasons, do("drop", reason="small"), ECHO)
    equal([1, 0, 0, 0, 0, 0, 1], answer.counts, "the number of outputs a row")
    equal({}, dict(answer.errors), "the errors")
    equal({"small": 2, "é": 1}, dict(answer.dropped), "the reasons")


@case("processor", reference=True)
async def many(bench: Bench) -> None:
    """Several outputs of one message arrive in their order, beside those of other messages."""
    answer = await ask(bench, do("many", count=3), do("many", count=0), ECHO, do("many", count=2))
    equal([3, 0, 1, 2], answer.counts, "the number of outputs a row")
    for row in (0, 3):
        equal(list(range(answer.counts[row])), _indexes(answer.rows[row]), f"row {row}")
        equal({PART}, {output.type for output in answer.rows[row]}, "their types")


def _indexes(outputs: Sequence[Message]) -> list[int]:
    return [output.payload["index"] for output in outputs]


@case("processor", reference=True)
async def many_thousands(bench: Bench) -> None:
    """A message with 20,000 outputs gets all of them, in order."""
    answer = await ask(bench, do("many", count=20_000), ECHO)
    equal([20_000, 1], answer.counts, "the number of outputs a row")
    equal(list(range(20_000)), _indexes(answer.rows[0]), "their order")


@case("processor", reference=True)
async def ids(bench: Bench) -> None:
    """An id that its author sets is kept; one left empty stays so, for the host to derive."""
    answer = await ask(bench, do("many", count=2), do("many", count=2, ids=True), ECHO)
    equal(["", ""], [output.id for output in answer.rows[0]], "ids that were left empty")
    expected = ["conformance:1/0", "conformance:1/1"]
    equal(expected, [output.id for output in answer.rows[1]], "ids that were set")
    equal("conformance:2", answer.one(2).id, "the id of a message that passes")


@case("processor", reference=True)
async def changed(bench: Bench) -> None:
    """What an author changes in a message arrives changed, and nothing else is."""
    answer = await ask(
        bench,
        do("set", type="Other"),
        do("set", id="é/1"),
        do("set", content_type="text/plain"),
        do("set", trace_id="00f067aa0ba902b7"),
        do("set", source={"name": "n", "network": "w", "uri": "u"}),
    )
    got = [answer.one(row) for row in range(5)]
    equal(["Other", "Conformance"], [each.type for each in got[:2]], "the types")
    equal(["conformance:0", "é/1"], [each.id for each in got[:2]], "the ids")
    content = ["application/json", "text/plain"]
    equal(content, [each.content_type for each in got[1:3]], "the content types")
    equal([TRACE_ID, "00f067aa0ba902b7"], [each.trace_id for each in got[2:4]], "the trace ids")
    equal([SOURCE, SourceInfo("n", "w", "u")], [each.source for each in got[3:]], "the sources")


@case("processor", reference=True)
async def big(bench: Bench) -> None:
    """Outputs far larger than their input arrive whole."""
    sizes = (0, 1, 65_535, 65_536, 1 << 20, 8 << 20)
    answer = await ask(bench, *(do("big", size_bytes=size) for size in sizes))
    got = [len(answer.one(row).payload["text"]) for row in range(len(sizes))]
    equal(list(sizes), got, "the sizes")


@case("processor", reference=True)
async def all_kinds(bench: Bench) -> None:
    """Passing, dropped, failing, doubled and changed messages of one batch do not mix."""
    cycle = [ECHO, do("drop"), do("fail"), do("many", count=2), do("set", type="Other"), 7]
    answer = await ask(bench, *cycle * 200)
    equal([1, 0, 0, 2, 1, 1] * 200, answer.counts, "the number of outputs a row")
    equal(list(range(2, 1200, 6)), sorted(answer.errors), "the rows that failed")
    for row in range(0, 1200, 6):
        equal(f"conformance:{row}", answer.one(row).id, "the id of a message that passes")
