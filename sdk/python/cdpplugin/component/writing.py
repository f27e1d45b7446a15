"""Answers to batches as JSON text.

Source: `spec/wasm-abi.md`, sections 4 and 7. What an output does not change is left out of
the answer: the host puts the input's in its place, so that a payload which nobody reads keeps
every character.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.component.parsed import ParsedPayloads
from cdpplugin.component.reading import Received
from cdpplugin.component.told import error_text
from cdpplugin.errors import PluginError
from cdpplugin.json import encode_json
from cdpplugin.metadata import SourceInfo
from cdpplugin.outputs import OutputPart, Outputs

_COLUMNS = (
    ("type", "types"),
    ("metadata", "metadata"),
    ("source", "sources"),
    ("trace_id", "trace_ids"),
    ("content_type", "content_types"),
)


def write(outputs: Outputs, received: Received) -> str:
    """Return *outputs*, the answer to the batch of *received*, as an array of answers."""
    answers: list[bytes | None] = [None] * received.length
    for row, error in received.errors.items():
        answers[row] = _failed(error)
    for row, error in outputs.errors.items():
        answers[received.rows[row]] = _failed(error)
    for row, texts in _by_row(outputs.parts, received.batch).items():
        answers[received.rows[row]] = b'{"outputs":[%b]}' % b",".join(texts)
    # Reasons are counted, not kept by row: any row without an answer may carry one.
    reasons = (r for reason, rows in outputs.dropped.items() for r in repeat(reason, rows))
    left_out = (_dropped(next(reasons, None)) for _ in answers)
    told = [next(left_out) if answer is None else answer for answer in answers]
    return (b"[" + b",".join(told) + b"]").decode()


def write_one(outputs: Outputs, received: Received) -> str:
    """Return *outputs*, the answer to one message, as nothing, an object, or an array.

    Raises:
        PluginError: What is said of the message instead.
    """
    for error in outputs.errors.values():
        raise error
    texts = _by_row(outputs.parts, received.batch).get(0, [])
    if len(texts) == 1:
        return texts[0].decode()
    return (b"[" + b",".join(texts) + b"]").decode() if texts else ""


def _failed(error: PluginError) -> bytes:
    return b'{"error":%b}' % error_text(error).encode()


def _dropped(reason: str | None) -> bytes:
    return b"{}" if reason is None else b'{"dropped":%b}' % encode_json(reason)


def _by_row(parts: Sequence[OutputPart], batch: Batch) -> dict[int, list[bytes]]:
    """Return the outputs of each input row, as JSON objects, in their order."""
    found: dict[int, list[bytes]] = {}
    for part in parts:
        for row, text in zip(part.rows, _objects(part, batch), strict=True):
            if row in found:
                found[row].append(text)
            else:
                found[row] = [text]
    return found


def _objects(part: OutputPart, batch: Batch) -> list[bytes]:
    """Return each output as a JSON object of its id and what differs from its input."""
    out, rows = part.batch, part.rows
    ids = [b'{"id":%b' % encode_json(each) for each in out.ids]
    columns = [_payloads(out, batch, rows)]
    columns += [
        _members(name, getattr(out, column), getattr(batch, column), rows)
        for name, column in _COLUMNS
    ]
    differing = [column for column in columns if column is not None]
    return [b"".join(members) for members in zip(ids, *differing, repeat(b"}"), strict=False)]


def _members(
    name: str, given: Sequence[Any], inputs: Sequence[Any], rows: Sequence[int]
) -> list[bytes] | None:
    """Return the member *name* of each output, nothing where it is the input's; None: all are."""
    if given is inputs and rows == range(len(inputs)):
        return None
    write = _Member(name)
    return [
        b"" if value is (held := inputs[row]) or _equal(value, held) else write(value)
        for value, row in zip(given, rows, strict=True)
    ]


class _Member:
    """Writes a member; a value that comes many times over, such as a source, is written once."""

    def __init__(self, name: str) -> None:
        self._head = b',"%b":' % name.encode()
        self._last: Any = None
        self._text = self._head + b"null"

    def __call__(self, value: Any) -> bytes:
        if value is not self._last:
            self._text = self._head + encode_json(value)
            self._last = value
        return self._text


def _equal(value: Any, held: Any) -> bool:
    """Tell whether two values may stand for one another; 1, 1.0 and True in metadata may not."""
    if isinstance(value, (str, SourceInfo)):
        return bool(value == held)
    return not value and not held


def _payloads(out: Batch, batch: Batch, rows: Sequence[int]) -> list[bytes] | None:
    held, inputs = out.payloads, batch.payloads
    if held is inputs and rows == range(len(inputs)):
        return None
    texts = held.json()
    if (
        isinstance(held, ParsedPayloads)
        and isinstance(inputs, ParsedPayloads)
        and held.values is inputs.values
    ):
        return [
            b"" if held.rows[index] == inputs.rows[row] else b',"payload":%b' % texts[index]
            for index, row in enumerate(rows)
        ]
    return [b',"payload":%b' % text for text in texts]
