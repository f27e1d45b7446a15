"""Turn JSON objects into typed Arrow columns, as a JSON Schema declares them.

| JSON Schema                          | Arrow column          |
|--------------------------------------|-----------------------|
| `integer`                            | `int64`               |
| `number`                             | `float64`             |
| `boolean`                            | `bool`                |
| `string`                             | `string`              |
| `string`, format `date-time`         | `timestamp[us, UTC]`  |
| `array`, `object`, several, or none  | `string`: JSON text   |

`null` beside another type, local `$ref`, `anyOf` with `null`, `enum` and `const` are
understood. A field that is missing or null is a null, unless it is required and not
nullable. A field the schema does not name is left out, or refused where the schema
says `additionalProperties: false`. A value is never rounded or cut to make it fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from cdpplugin import PluginError, decode_json, encode_json

TIMESTAMP = pa.timestamp("us", tz="UTC")
_INT64 = range(-(2**63), 2**63)


class ValueInvalid(PluginError):
    """A payload's value does not fit the column that was declared for it.

    Attributes:
        row: The row of the batch, counted from 0.
        field: The field, or empty where the payload itself does not fit.
        message_id: The message, where it is known.
    """

    code = "table.value_invalid"
    hint = "correct the stage that gives this value, or the output schema it declares"

    def __init__(
        self, expected: str, got: str, *, row: int, field: str = "", message_id: str = ""
    ) -> None:
        subject = f"field `{field}`" if field else "the payload"
        message = f"message `{message_id}`" if message_id else f"row {row}"
        super().__init__(f"{subject} of {message}: expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.row = row
        self.field = field
        self.message_id = message_id

    def of_message(self, message_id: str) -> ValueInvalid:
        """Return the same error, saying which message it is."""
        return ValueInvalid(
            self.expected, self.got, row=self.row, field=self.field, message_id=message_id
        )


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of JSON payloads.

    Attributes:
        name: The field's name.
        kind: What a value must be, in the words of JSON Schema.
        required: Whether a null is refused.
    """

    name: str
    kind: str
    required: bool = False

    @property
    def type(self) -> pa.DataType:
        """The Arrow type that holds the values."""
        return _KINDS[self.kind].type

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Return one field's *values*, None where missing, as an Arrow array.

        Raises:
            ValueInvalid: A value does not fit.
        """
        kind = _KINDS[self.kind]
        if self.required and None in values:
            raise ValueInvalid(kind.words, "null", row=values.index(None), field=self.name)
        if not set(map(type, values)) <= kind.ready:
            values = [self._fit(kind, row, value) for row, value in enumerate(values)]
        try:
            return pa.array(values, kind.type)
        except (pa.ArrowException, OverflowError):
            return pa.array([self._fit(kind, *pair) for pair in enumerate(values)], kind.type)

    def _fit(self, kind: _Kind, row: int, value: Any) -> Any:
        if value is None:
            return None
        try:
            return kind.fit(value)
        except (ValueError, OverflowError):
            raise ValueInvalid(kind.words, _shown(value), row=row, field=self.name) from None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of value becomes Arrow; values of the `ready` classes go in as they are."""

    type: pa.DataType
    words: str
    fit: Callable[[Any], Any]
    ready: frozenset[type]


def _integer(value: Any) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or int(value) not in _INT64:
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or float(value) != value:
        raise ValueError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_string(value))
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _text(value: Any) -> str:
    return encode_json(value).decode()


_NONE = type(None)
_KINDS = {
    "integer": _Kind(pa.int64(), "an integer of 64 bits", _integer, frozenset({int, _NONE})),
    "number": _Kind(pa.float64(), "a number of 64 bits", _number, frozenset({float, _NONE})),
    "boolean": _Kind(pa.bool_(), "true or false", _boolean, frozenset({bool, _NONE})),
    "string": _Kind(pa.string(), "a string", _string, frozenset({str, _NONE})),
    "date-time": _Kind(TIMESTAMP, "an RFC 3339 time with its offset", _time, frozenset({_NONE})),
    "json": _Kind(pa.string(), "a JSON value", _text, frozenset({_NONE})),
}


def columns_of(schema: Mapping[str, Any]) -> list[Column]:
    """Return the columns that an object's JSON Schema declares, in its order."""
    required = set(schema.get("required", ()))
    columns = []
    for name, declared in schema.get("properties", {}).items():
        kind, nullable = _kind_of(declared, schema)
        columns.append(Column(name, kind, name in required and not nullable))
    return columns


def _kind_of(declared: Any, root: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the kind of value a property's schema asks for, and whether it may be null."""
    kinds = _kinds(declared, root)
    plain = kinds - {"null"}
    if plain == {"integer", "number"}:
        plain = {"number"}
    known = len(plain) == 1 and plain <= _KINDS.keys()
    return (plain.pop() if known else "json"), bool(kinds & {"null", "json"})


def _kinds(declared: Any, root: Mapping[str, Any], depth: int = 0) -> set[str]:
    if not isinstance(declared, Mapping) or depth > 16:
        return {"json"}
    if "$ref" in declared:
        return _kinds(_referred(str(declared["$ref"]), root), root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if key in declared:
            return set().union(*(_kinds(each, root, depth + 1) for each in declared[key]))
    if "type" in declared:
        return _typed(declared)
    values = [declared["const"]] if "const" in declared else declared.get("enum", ())
    return {_kind_of_value(value) for value in values} or {"json"}


def _typed(declared: Mapping[str, Any]) -> set[str]:
    types = declared["type"]
    kinds = {types} if isinstance(types, str) else set(types)
    if declared.get("format") == "date-time" and "string" in kinds:
        kinds = kinds - {"string"} | {"date-time"}
    return kinds


def _referred(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root if reference.startswith("#") else None
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _kind_of_value(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", _NONE: "null"}
    return names.get(type(value), "json")


def json_columns(schema: Mapping[str, Any], payloads: Sequence[bytes]) -> list[pa.Array]:
    """Return JSON objects as the columns of `columns_of(schema)`.

    Raises:
        ValueInvalid: A payload is no object, or one of its values does not fit.
    """
    rows = [decode_json(payload) for payload in payloads]
    columns = columns_of(schema)
    _check_rows(rows, {column.name for column in columns}, schema)
    return [column.array([row.get(column.name) for row in rows]) for column in columns]


def _check_rows(rows: Sequence[Any], names: set[str], schema: Mapping[str, Any]) -> None:
    closed = schema.get("additionalProperties") is False
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueInvalid("an object", _shown(row), row=number)
        if closed and not row.keys() <= names:
            name = min(row.keys() - names)
            raise ValueInvalid("no such field", _shown(row[name]), row=number, field=name)


def _shown(value: Any) -> str:
    text = _text(value)
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
