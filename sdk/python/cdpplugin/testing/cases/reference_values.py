"""No value loses anything on its way: through payload, metadata and what a plugin sees."""

from __future__ import annotations

from typing import Any

from cdpplugin.message import Message
from cdpplugin.testing.asking import ask, do, send
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import case, equal
from cdpplugin.testing.samples import (
    AWKWARD,
    FLOATS,
    INTEGERS,
    SOURCE,
    TEXTS,
    TRACE_ID,
    batch_of,
    message,
    nested,
)


async def _rewritten(bench: Bench, *values: Any) -> None:
    """Require that each of *values* is the same after the plugin has read and written it."""
    answer = await ask(bench, *(do("rewrite", value=value) for value in values))
    for row, value in enumerate(values):
        got = answer.one(row).payload
        equal(do("rewrite", value=value, rewritten=True), got, f"payload {row}")


def _kinds(value: Any) -> Any:
    """Return *value* with its truths told apart from 1 and 0, which Python holds for equal."""
    if isinstance(value, dict):
        return {key: _kinds(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_kinds(held) for held in value]
    return f"truth {value}" if isinstance(value, bool) else value


@case("processor", reference=True)
async def integers(bench: Bench) -> None:
    """Integers of 64 bits, with and without sign, are exact."""
    await _rewritten(bench, *INTEGERS, list(INTEGERS))


@case("processor", reference=True)
async def floats(bench: Bench) -> None:
    """Floating-point numbers are exact to the last bit."""
    await _rewritten(bench, *FLOATS, list(FLOATS))


@case("processor", reference=True)
async def texts(bench: Bench) -> None:
    """Text of any characters arrives as it was."""
    await _rewritten(bench, *TEXTS, {text: text for text in TEXTS})


@case("processor", reference=True)
async def structures(bench: Bench) -> None:
    """Nothing, truths, empty and deeply nested values arrive as they were."""
    await _rewritten(bench, None, True, False, [], {}, [[]], nested(), dict(AWKWARD))


@case("processor", reference=True)
async def metadata_seen(bench: Bench) -> None:
    """Metadata of every JSON kind pass a plugin exactly as they came."""
    sent = [
        message(do("metadata"), number, metadata={"value": value, "other": number})
        for number, value in enumerate(_every_kind())
    ]
    answer = await send(await bench.shared(), batch_of(sent), bench.metadata)
    for row, expected in enumerate(sent):
        got = answer.one(row).metadata
        equal(_kinds(dict(expected.metadata, seen=True)), _kinds(got), f"metadata {row}")


@case("processor", reference=True)
async def metadata_set(bench: Bench) -> None:
    """Metadata of every JSON kind that an author sets arrive exactly."""
    answer = await ask(bench, *(do("metadata", set={"value": value}) for value in _every_kind()))
    for row, value in enumerate(_every_kind()):
        got = answer.one(row).metadata
        equal(_kinds(value), _kinds(got.get("value")), f"what was set in row {row}")
        equal(row, got.get("number"), f"what stood in row {row} before")


def _every_kind() -> list[Any]:
    return [*INTEGERS, *FLOATS, *TEXTS, None, True, False, [], {}, nested(8), dict(AWKWARD)]


@case("processor", reference=True)
async def seen(bench: Bench) -> None:
    """A plugin sees every attribute of a message as it was sent."""
    answer = await ask(bench, do("describe"))
    expected = {
        "id": "conformance:0",
        "type": "Conformance",
        "metadata": {"number": 0, "é": ["text", None, True]},
        "source": {"name": SOURCE.name, "network": SOURCE.network, "uri": SOURCE.uri},
        "trace_id": TRACE_ID,
        "content_type": "application/json",
    }
    equal(expected, answer.one().payload, "what the plugin sees")


@case("processor", reference=True)
async def seen_bare(bench: Bench) -> None:
    """A plugin sees the defaults of a message that holds nothing but a payload."""
    sent = [Message(type="Bare", payload=do("describe")), message(do("describe"), 1)]
    answer = await send(await bench.shared(), batch_of(sent), bench.metadata)
    expected = {
        "id": "",
        "type": "Bare",
        "metadata": {},
        "source": {"name": "", "network": "", "uri": ""},
        "trace_id": "",
        "content_type": "application/json",
    }
    equal(expected, answer.one().payload, "what the plugin sees")
