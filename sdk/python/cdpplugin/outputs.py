"""What a processor answers: outputs and errors, each mapped to the input row it derives from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from cdpplugin.backing import RawPayloads
from cdpplugin.batch import Batch, take_column
from cdpplugin.errors import PluginError, UnsupportedEncoding
from cdpplugin.message import Message
from cdpplugin.metadata import SourceInfo
from cdpplugin.payloads import (
    JsonPayloads,
    PayloadInvalid,
    Payloads,
    decode_json,
    encode_json,
)

_COLUMNS = {
    "id": "ids",
    "type": "types",
    "metadata": "metadata",
    "source": "sources",
    "trace_id": "trace_ids",
    "content_type": "content_types",
}
_PLAIN = {str, int, bool, type(None)}
_KINDS: dict[str, type] = {"metadata": Mapping, "source": SourceInfo}


@dataclass(frozen=True, slots=True)
class OutputPart:
    """Output rows that share one payload column.

    Attributes:
        batch: The output messages.
        rows: For each, the input row it derives from (a stateful plugin: the last one);
            never decreasing.
    """

    batch: Batch
    rows: Sequence[int]

    def within(self, start: int, stop: int) -> OutputPart | None:
        """Return the outputs of input rows *start* to *stop* (exclusive), or None if none."""
        first, last = bisect_left(self.rows, start), bisect_left(self.rows, stop)
        if first == last:
            return None
        return OutputPart(self.batch.slice(first, last), self.rows[first:last])


@dataclass(frozen=True, slots=True)
class Outputs:
    """A processor's answer to one batch.

    An input row with neither output nor error was dropped on purpose (a filter).
    Order is promised per message type and input row; parts of different types may
    stand in any order.

    Attributes:
        parts: The outputs; several where they have several payload backings.
        errors: What went wrong, by input row. Such a row has no outputs.
        dropped: Why rows were left out, counted by reason, for those that said so.
    """

    parts: Sequence[OutputPart] = ()
    errors: Mapping[int, PluginError] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def each(cls, batch: Batch) -> Outputs:
        """Answer one output an input row, in the same order."""
        return cls((OutputPart(batch, range(len(batch))),)) if len(batch) else cls()


class OutputCollector:
    """Gathers the messages that a function returns into columns.

    What a message holds is taken down as it comes, so that an author may go on changing
    an object that was already returned. Of a message that passes as it came nothing is
    kept: its columns are the input's.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._rows: list[int] = []
        self._changes: dict[int, dict[str, Any]] = {}
        self._payloads: dict[int, bytes] = {}
        self._errors: dict[int, PluginError] = {}
        self._dropped: dict[str, int] = {}
        self._own = True
        self._raw = isinstance(batch.payloads, RawPayloads)

    def add(self, row: int, message: Message) -> None:
        """Take *message* as an output of input row *row*.

        Raises:
            PluginError: It is not a message, or its payload cannot be written as JSON.
        """
        if not isinstance(message, Message):
            raise PluginError(
                f"expected a Message, a list of them or None, got `{type(message).__name__}`",
                code="plugin.output_invalid",
                hint="return cdpplugin.Message(...), a list of messages, or None to drop",
            )
        self._take(row, message)

    def _take(self, row: int, message: Message) -> None:
        index, changes = len(self._rows), message.__dict__
        own = message._row == row and message._batch is self._batch
        read = "payload" in changes
        encoded = self._encoded(row, message.payload, own) if read or not own else None
        if len(changes) > read or not own:
            self._changes[index] = _taken_down(message, own)
            self._own &= own
        if encoded is not None:
            self._payloads[index] = encoded
        self._rows.append(row)

    def _encoded(self, row: int, payload: Any, own: bool) -> bytes | None:
        """Return *payload* as JSON, or None where a column of another form still holds it."""
        held = self._batch.payloads
        if not own or held.encoding == "json":
            return encode_json(payload)
        if isinstance(payload, bytes) and payload == held.wire_rows()[row]:
            return None
        encoded = encode_json(payload)
        with suppress(UnsupportedEncoding):
            return None if encoded == held.json()[row] else encoded
        return encoded

    def _is_as_read(self, message: Message) -> bool:
        """Tell whether a payload that is bytes was read and not replaced: bytes never change."""
        return message.payload is self._batch.payloads.value(message._row)

    def add_result(self, row: int, result: Message | Sequence[Message] | None) -> None:
        """Take whatever a function returned for input row *row*; all of it or nothing."""
        if isinstance(result, Message):
            self._take(row, result)
        elif result is not None:
            self._add_all(row, result)

    def _add_all(self, row: int, result: Sequence[Message]) -> None:
        kept = len(self._rows)
        try:
            for message in result if isinstance(result, Iterable) else (result,):
                self.add(row, message)
        except Exception:
            for index in range(kept, len(self._rows)):
                self._changes.pop(index, None)
                self._payloads.pop(index, None)
            del self._rows[kept:]
            raise

    def fail(self, row: int, error: PluginError) -> None:
        """Note that input row *row* failed."""
        self._errors[row] = error

    def drop(self, reason: str) -> None:
        """Note that a row was left out, and why."""
        self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def outputs(self) -> Outputs:
        """Return everything gathered so far.

        Raises:
            PluginError: plugin.output_invalid; an id or a type is no text.
        """
        parts = (self._part(),) if self._rows else ()
        return Outputs(parts, dict(self._errors), dict(self._dropped))

    def _part(self) -> OutputPart:
        every = range(len(self._batch))
        rows = every if self._rows == list(every) else list(self._rows)
        if not self._changes and not self._payloads:
            return OutputPart(self._batch.take(rows), rows)
        changed: set[str] = set().union(*self._changes.values())
        columns: dict[str, Any] = {}
        for name, column in _COLUMNS.items():
            held = take_column(getattr(self._batch, column), rows)
            differs = name in changed or not self._own
            columns[column] = _checked(name, self._merged(name, held)) if differs else held
        return OutputPart(Batch(payloads=self._payload_column(rows), **columns), rows)

    def _merged(self, name: str, held: Sequence[Any]) -> Sequence[Any]:
        """Return *held*, the input's values, with those that were taken down in their places."""
        changes = self._changes.values()
        if len(changes) == len(held):
            with suppress(KeyError):
                return list(map(itemgetter(name), changes))
        merged = list(held)
        for index, taken in self._changes.items():
            if name in taken:
                merged[index] = taken[name]
        return merged

    def _payload_column(self, rows: Sequence[int]) -> Payloads:
        encoded = self._payloads
        if not encoded:
            return self._batch.payloads.take(rows)
        if len(encoded) == len(rows):
            return JsonPayloads(list(encoded.values()))
        held = self._batch.payloads.json()
        return JsonPayloads([encoded.get(i) or held[row] for i, row in enumerate(rows)])


def _taken_down(message: Message, own: bool) -> dict[str, Any]:
    """Return what *message* holds beside its payload: what differs, or all of it."""
    if not own and message._batch is not None:
        for name in _COLUMNS:
            getattr(message, name)  # what was not read yet is read into `__dict__`
    taken = message.__dict__.copy()
    taken.pop("payload", None)
    if "metadata" in taken:
        taken["metadata"] = _plain_metadata(taken["metadata"])
    return taken


def _plain_metadata(metadata: Any) -> dict[str, Any]:
    """Return a copy of *metadata* that holds plain JSON values only.

    Raises:
        PayloadInvalid: It is no JSON object.
    """
    if type(metadata) is dict:
        for name, value in metadata.items():
            if value.__class__ not in _PLAIN or name.__class__ is not str:
                break
        else:
            return metadata.copy()
    plain = decode_json(encode_json(metadata))
    if not isinstance(plain, dict):
        raise PayloadInvalid(
            f"expected metadata to be a JSON object, got `{type(metadata).__name__}`",
            hint="metadata is a dict with string keys",
        )
    return plain


def _checked(name: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return *values* where each is of the kind that its column holds."""
    kind = _KINDS.get(name, str)
    for found in set(map(type, values)):
        if not issubclass(found, kind):
            raise PluginError(
                f"expected the `{name}` of a message to be `{kind.__name__}`, "
                f"got `{found.__name__}`",
                code="plugin.output_invalid",
                hint="see cdpplugin.Message for what each attribute holds",
            )
    return values
