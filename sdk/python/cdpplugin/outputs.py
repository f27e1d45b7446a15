"""What a processor answers: outputs and errors, each mapped to the input row it derives from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdpplugin.batch import Batch, take_column
from cdpplugin.errors import PluginError
from cdpplugin.message import Message
from cdpplugin.payloads import JsonPayloads, Payloads, encode_json

_COLUMNS = {
    "id": "ids",
    "type": "types",
    "metadata": "metadata",
    "source": "sources",
    "trace_id": "trace_ids",
    "content_type": "content_types",
}


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

    Payloads are encoded as they come, so that an author may go on changing an
    object that was already returned. A message that passes as it came is not kept:
    its columns are the input's.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._rows: list[int] = []
        self._messages: dict[int, Message] = {}
        self._payloads: dict[int, bytes] = {}
        self._errors: dict[int, PluginError] = {}
        self._dropped: dict[str, int] = {}
        self._own = True

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
        if read or not own:
            self._payloads[index] = encode_json(message.payload)
        if len(changes) > read or not own:
            self._messages[index] = message
            self._own &= own
        self._rows.append(row)

    def add_result(self, row: int, result: Message | Sequence[Message] | None) -> None:
        """Take whatever a function returned for input row *row*; all of it or nothing."""
        if isinstance(result, Message):
            self._take(row, result)
        elif result is not None:
            self._add_all(row, result)

    def _add_all(self, row: int, result: Sequence[Message]) -> None:
        kept = len(self._rows)
        try:
            for message in result:
                self.add(row, message)
        except Exception:
            del self._rows[kept:]
            self._messages = {i: m for i, m in self._messages.items() if i < kept}
            self._payloads = {i: p for i, p in self._payloads.items() if i < kept}
            raise

    def fail(self, row: int, error: PluginError) -> None:
        """Note that input row *row* failed."""
        self._errors[row] = error

    def drop(self, reason: str) -> None:
        """Note that a row was left out, and why."""
        self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def outputs(self) -> Outputs:
        """Return everything gathered so far."""
        parts = (self._part(),) if self._rows else ()
        return Outputs(parts, self._errors, self._dropped)

    def _part(self) -> OutputPart:
        every = range(len(self._batch))
        rows = every if self._rows == list(every) else self._rows
        if not self._messages and not self._payloads:
            return OutputPart(self._batch.take(rows), rows)
        changed: set[str] = set().union(*map(vars, self._messages.values()))
        columns: dict[str, Any] = {}
        for name, column in _COLUMNS.items():
            held = take_column(getattr(self._batch, column), rows)
            differs = name in changed or not self._own
            columns[column] = self._merged(name, held) if differs else held
        return OutputPart(Batch(payloads=self._payload_column(rows), **columns), rows)

    def _merged(self, name: str, held: Sequence[Any]) -> Sequence[Any]:
        """Return *held*, the input's values, with those of the messages that were kept."""
        messages = self._messages
        if len(messages) == len(held):
            return [getattr(message, name) for message in messages.values()]
        return [getattr(messages[i], name) if i in messages else own for i, own in enumerate(held)]

    def _payload_column(self, rows: Sequence[int]) -> Payloads:
        encoded = self._payloads
        if not encoded:
            return self._batch.payloads.take(rows)
        if len(encoded) == len(rows):
            return JsonPayloads(list(encoded.values()))
        held = self._batch.payloads.json()
        return JsonPayloads([encoded.get(i) or held[row] for i, row in enumerate(rows)])
