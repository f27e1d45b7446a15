"""Batches that come as JSON text.

Source: `spec/wasm-abi.md`, sections 4 and 7. A message that cannot be read costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from cdpplugin.batch import Batch, Lazy
from cdpplugin.component.parsed import ParsedPayloads, Values
from cdpplugin.errors import PluginError
from cdpplugin.json import PayloadInvalid, decode_json, decode_many
from cdpplugin.metadata import Encoding, SourceInfo

_MARKS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Received:
    """A batch as it came.

    Attributes:
        batch: The messages that can be read.
        rows: For each of them its place among all.
        errors: What is wrong with the others.
        length: Number of all messages.
    """

    batch: Batch
    rows: Sequence[int]
    errors: dict[int, PluginError]
    length: int


def read(text: str, encoding: Encoding) -> Received:
    """Return the batch that *text*, an array of messages, holds.

    Raises:
        PayloadInvalid: It is no such array.
    """
    try:
        messages = decode_many(text)
    except PayloadInvalid:
        return _read_singly(text, encoding)
    if not isinstance(messages, list):
        raise _no_array()
    length = len(messages)
    batch = _batch(messages, lambda: decode_many(text), encoding)
    return Received(batch, range(length), {}, length)


def read_one(text: str, encoding: Encoding) -> Received:
    """Return the batch of the one message that *text*, an object, holds.

    Raises:
        PayloadInvalid: It is no such object.
    """
    batch = _batch([decode_json(text)], lambda: [decode_json(text)], encoding)
    return Received(batch, range(1), {}, 1)


def _read_singly(text: str, encoding: Encoding) -> Received:
    """Return the batch of an array of which some message cannot be read, without those."""
    texts, errors, good = list(_texts_of(text)), dict[int, PluginError](), list[int]()
    messages = []
    for row, each in enumerate(texts):
        try:
            messages.append(decode_json(each))
            good.append(row)
        except PayloadInvalid as error:
            errors[row] = error
    again = lambda: [decode_json(texts[row]) for row in good]  # noqa: E731
    return Received(_batch(messages, again, encoding), good, errors, len(texts))


def _texts_of(text: str) -> Iterator[str]:
    """Yield the members of the array *text* as they stand there.

    Raises:
        PayloadInvalid: It is no array.
    """
    depth = begin = 0
    for found in _MARKS.finditer(text):
        mark = found[0]
        depth += (mark in "[{") - (mark in "]}")
        if mark == "[" and depth == 1:
            begin = found.end()
        elif (mark == "," and depth == 1) or (mark == "]" and depth == 0):
            if text[begin : found.start()].strip():
                yield text[begin : found.start()]
            begin = found.end()
    if depth or text[begin:].strip() or not text.lstrip().startswith("["):
        raise _no_array()


def _no_array() -> PayloadInvalid:
    return PayloadInvalid("expected an array of messages, got something else")


def _batch(messages: list[Any], again: Callable[[], list[Any]], encoding: Encoding) -> Batch:
    """Return *messages*; *again* decodes them once more."""
    length = len(messages)
    payload = itemgetter("payload")
    try:
        values = Values(list(map(payload, messages)), lambda: list(map(payload, again())))
        return Batch(
            ids=list(map(itemgetter("id"), messages)),
            types=list(map(itemgetter("type"), messages)),
            payloads=ParsedPayloads(values, range(length), encoding),
            metadata=list(map(itemgetter("metadata"), messages)),
            sources=Lazy(length, lambda: _sources(messages)),
            trace_ids=Lazy(length, lambda: list(map(itemgetter("trace_id"), messages))),
            content_types=Lazy(length, lambda: list(map(itemgetter("content_type"), messages))),
        )
    except (TypeError, KeyError) as error:
        raise PayloadInvalid(f"expected messages with all their members: {error!r}") from error


def _sources(messages: list[Any]) -> list[SourceInfo]:
    known: dict[tuple[str, str, str], SourceInfo] = {}
    found = []
    for message in messages:
        held = message["source"]
        key = (held["name"], held["network"], held["uri"])
        source = known.get(key)
        if source is None:
            source = known[key] = SourceInfo(*key)
        found.append(source)
    return found
