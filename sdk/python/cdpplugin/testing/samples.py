"""Messages to try a plugin with: its own samples where it has some, and awkward ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

from cdpplugin.backing import RawPayloads
from cdpplugin.batch import Batch
from cdpplugin.message import Message
from cdpplugin.metadata import PluginMetadata, SourceInfo
from cdpplugin.payloads import JsonPayloads, Payloads, Sep51Payloads, encode_json
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped

SOURCE = SourceInfo("conformance", "Test SDF Network ; September 2015", "file:///ledgers")
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TYPE = "Conformance"

INTEGERS = (0, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1)
FLOATS = (0.1, -0.5, 1.5e300, 5e-324, 123456789.125)
TEXTS = (
    "",
    "plain",
    "é 漢字 🚀 \u202eright to left",
    'quote " backslash \\ slash / tab \t newline \n nul \x00 bell \x07',
    "line separator \u2028 paragraph separator \u2029",
    "<script>&amp;</script> ${NOT_A_VARIABLE} %s {}",
)
DEPTH = 64


def nested(depth: int = DEPTH) -> Any:
    """Return lists and objects within each other, *depth* deep."""
    value: Any = "bottom"
    for level in range(depth):
        value = {"level": level, "inner": value} if level % 2 else [value]
    return value


AWKWARD: Mapping[str, Any] = {
    "integers": list(INTEGERS),
    "floats": list(FLOATS),
    "texts": list(TEXTS),
    "nothing": None,
    "truths": [True, False],
    "empty": [{}, [], ""],
    "nested": nested(),
    'a key with " and é': {"": "an empty key"},
}


def message(payload: Any, number: int = 0, **attributes: Any) -> Message:
    """Return a message whose every attribute holds something."""
    given: dict[str, Any] = {
        "id": f"conformance:{number}",
        "type": TYPE,
        "payload": payload,
        "metadata": {"number": number, "é": ["text", None, True]},
        "source": SOURCE,
        "trace_id": TRACE_ID,
    }
    return Message(**(given | attributes))


def batch_of(messages: Sequence[Message]) -> Batch:
    """Return *messages* as a batch in JSON."""
    return with_payloads(
        messages, JsonPayloads([encode_json(message.payload) for message in messages])
    )


def with_payloads(messages: Sequence[Message], payloads: Payloads) -> Batch:
    """Return a batch of *payloads*, everything else taken from *messages*."""
    return Batch(
        types=[message.type for message in messages],
        payloads=payloads,
        ids=[message.id for message in messages],
        metadata=[message.metadata for message in messages],
        sources=[message.source for message in messages],
        trace_ids=[message.trace_id for message in messages],
        content_types=[message.content_type for message in messages],
    )


def batch_for(bench: Bench, messages: Sequence[Message]) -> Batch:
    """Return *messages* as a batch in the encoding that the plugin asks for.

    Raises:
        Skipped: JSON samples have no such form.
    """
    batch, encoding = batch_of(messages), bench.metadata.input_encoding
    if encoding == "json":
        return batch
    if encoding == "sep51":
        return batch.replace(payloads=Sep51Payloads(batch.payloads.json()))
    raise Skipped(f"samples are JSON, the plugin takes `{encoding}`")


def garbage_for(bench: Bench, messages: Sequence[Message], garbage: bytes) -> Batch:
    """Return *messages* as a batch, each second payload *garbage* in the plugin's encoding.

    Raises:
        Skipped: The plugin takes whole Arrow streams.
    """
    encoding = bench.metadata.input_encoding
    if encoding == "arrow":
        raise Skipped("the rows of an Arrow stream cannot be garbage one by one")
    rows = [
        garbage if number % 2 else encode_json(message.payload)
        for number, message in enumerate(messages)
    ]
    backings = {"json": JsonPayloads, "sep51": Sep51Payloads, "xdr": RawPayloads}
    return with_payloads(messages, backings[encoding](rows))


def samples(bench: Bench, count: int = 0) -> list[Message]:
    """Return *count* messages the plugin takes, each with an id of its own; 0: each once."""
    given = list(bench.subject.messages) or _made_up(bench.metadata)
    taken = islice(cycle(given), count or len(given))
    return [_numbered(message, number) for number, message in enumerate(taken)]


def _made_up(metadata: PluginMetadata) -> list[Message]:
    types = list(metadata.input_types) or [TYPE]
    return [message({"n": number}, type=types[number % len(types)]) for number in range(6)]


def _numbered(sample: Message, number: int) -> Message:
    given = message(sample.payload, number, type=sample.type)
    given.id = f"{sample.id or 'conformance'}:{number}"
    given.metadata = {**given.metadata, **sample.metadata}
    given.source = sample.source if sample.source != SourceInfo() else SOURCE
    given.content_type = sample.content_type
    return given
