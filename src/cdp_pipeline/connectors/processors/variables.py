"""Read of each row of a batch only what some expressions need, and only when they need it.

A row's payload is decoded from JSON with only the top-level fields that are read: on a
200-byte payload a third of the work, on a ledger of a megabyte nearly all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import msgspec

from cdpplugin import Batch, PluginError, SourceInfo, decode_json

from .expressions import Expression

RowVariables = Callable[[int], dict[str, Any]]


class VariableReader:
    """Gives the variables that *expressions* read; usable by several threads at once.

    With *whole_payload* it gives all of the payload, whatever they read: the caller's to change.
    """

    def __init__(self, expressions: Iterable[Expression], *, whole_payload: bool = False) -> None:
        expressions = list(expressions)
        names = {name for each in expressions for name in each.variables}
        self.names = frozenset(names | ({"payload"} if whole_payload else set()))
        self._decoder = None if whole_payload else _payload_decoder(expressions)

    def rows(self, batch: Batch) -> RowVariables:
        """Return a function that gives row *n*'s variables; it raises what is wrong with it."""
        columns: dict[str, Callable[[int], Any]] = {}
        if "id" in self.names:
            columns["id"] = batch.ids.__getitem__
        if "type" in self.names:
            columns["type"] = batch.types.__getitem__
        if "metadata" in self.names:
            columns["metadata"] = batch.metadata.__getitem__
        if "source" in self.names:
            columns["source"] = lambda row: source_fields(batch.sources[row])
        if "payload" in self.names:
            json, decode = json_rows(batch), self._decode
            columns["payload"] = lambda row: decode(json(row))
        items = tuple(columns.items())
        return lambda row: {name: read(row) for name, read in items}

    def _decode(self, text: bytes) -> Any:
        if self._decoder is not None:
            try:
                return self._decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass  # no object, or no JSON: the whole decoder tells which
        return decode_json(text)


def _payload_decoder(expressions: Iterable[Expression]) -> msgspec.json.Decoder[Any] | None:
    """Return a decoder of the payload fields that are read, None where all of it is."""
    fields: set[str] = set()
    for expression in expressions:
        if "payload" in expression.variables:
            read = expression.fields_of("payload")
            if read is None:
                return None
            fields |= read
    shape = TypedDict("Payload", dict.fromkeys(sorted(fields), Any), total=False)  # type: ignore[misc]
    return msgspec.json.Decoder(shape)


def json_rows(batch: Batch) -> Callable[[int], bytes]:
    """Return a function that gives row *n*'s payload as JSON bytes.

    A column is converted whole; where one row cannot be, each is converted by itself, so
    that only that row fails.
    """
    try:
        return batch.payloads.json().__getitem__
    except PluginError:
        return lambda row: batch.payloads.take([row]).json()[0]


def source_fields(source: SourceInfo) -> dict[str, str]:
    """Return *source* as the object that expressions see."""
    return {"name": source.name, "network": source.network, "uri": source.uri}
