"""Arrow columns as PostgreSQL has them: the types, and the text that COPY reads.

| Arrow                                  | PostgreSQL         |
|----------------------------------------|--------------------|
| bool                                   | `boolean`          |
| int8, int16, uint8                     | `smallint`         |
| int32, uint16                          | `integer`          |
| int64, uint32                          | `bigint`           |
| uint64, decimals                       | `numeric`          |
| float16, float32 / float64             | `real` / `double precision` |
| text                                   | `text`             |
| text marked as JSON, lists, structs    | `jsonb`            |
| bytes                                  | `bytea`            |
| date, time                             | `date`, `time without time zone` |
| timestamp with / without a time zone   | `timestamp with time zone` / `... without time zone` |

Text is marked as JSON by the extension type `arrow.json`, or by the field metadata
`content_type: application/json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from cdpplugin import Fatal, encode_json

JSON_MARK = (b"content_type", b"application/json")
_CHUNK_ROWS = 50_000
_TIMES = {True: "timestamp with time zone", False: "timestamp without time zone"}
_JSON = ("json", "jsonb")
_HOLDS = {
    "smallint": {"integer", "bigint", "numeric"},
    "integer": {"bigint", "numeric"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "text": {"character varying", "json", "jsonb"},
    "jsonb": {"json", "text"},
}
_ESCAPE = re.compile(r"\\(u0000|.)", re.DOTALL)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_uint64, "numeric"),
    (lambda kind: kind in (pa.int8(), pa.int16(), pa.uint8()), "smallint"),
    (lambda kind: kind in (pa.int32(), pa.uint16()), "integer"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_float64, "double precision"),
    (pa.types.is_floating, "real"),
    (pa.types.is_decimal, "numeric"),
    (_is_text, "text"),
    (_is_bytes, "bytea"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time without time zone"),
    (pa.types.is_nested, "jsonb"),
)


class TypeUnsupported(Fatal):
    """A column has a type that PostgreSQL has no like of."""

    code = "postgresql.type_unsupported"
    hint = "change the column to text or a number in the stage before this one"


def column_type(table: str, field: pa.Field) -> str:
    """Return the PostgreSQL type of a column, as `format_type` spells it.

    Raises:
        TypeUnsupported: There is none.
    """
    kind = _plain(field.type)
    if _is_json(field):
        return "jsonb"
    if pa.types.is_timestamp(kind):
        return _TIMES[kind.tz is not None]
    for fits, name in _KINDS:
        if fits(kind):
            return name
    raise TypeUnsupported(f"column `{table}.{field.name}` has the type `{field.type}`")


def holds(there: str, coming: str) -> bool:
    """Say whether a column of type *there* takes every value of type *coming*."""
    return there == coming or there in _HOLDS.get(coming, ())


def copy_text(rows: pa.Table, types: Mapping[str, str]) -> Iterator[pa.Buffer]:
    """Yield *rows* as CSV that COPY reads into columns of *types*, some thousand rows a piece."""
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for start in range(0, rows.num_rows, _CHUNK_ROWS):
        piece = rows.slice(start, _CHUNK_ROWS)
        columns = [_readable(piece.column(name), types[name]) for name in piece.column_names]
        sink = pa.BufferOutputStream()
        csv.write_csv(pa.table(columns, names=piece.column_names), sink, options)
        yield sink.getvalue()


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_json(field: pa.Field) -> bool:
    key, value = JSON_MARK
    extension = getattr(field.type, "extension_name", "")
    return extension == "arrow.json" or (field.metadata or {}).get(key) == value


def _readable(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray | pa.Array:
    """Return *column* in a form whose CSV the type *kind* reads."""
    if getattr(column.type, "extension_name", ""):
        column = column.cast(column.type.storage_type)
    column = column.cast(_plain(column.type))
    if _is_text(column.type):
        return _without_nul(column.cast(pa.large_string()), kind)
    if _is_bytes(column.type):
        return pa.array([None if v is None else f"\\x{v.hex()}" for v in column.to_pylist()])
    if pa.types.is_nested(column.type):
        texts = [None if v is None else encode_json(v).decode() for v in column.to_pylist()]
        return _without_nul(pa.chunked_array([pa.array(texts, pa.large_string())]), kind)
    if pa.types.is_timestamp(column.type):
        zone = "UTC" if column.type.tz else None
        return column.cast(pa.timestamp("us", zone), safe=False)
    if pa.types.is_date64(column.type):
        return column.cast(pa.date32())
    if pa.types.is_time64(column.type):
        return column.cast(pa.time64("us"), safe=False)
    return column


def _without_nul(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray | pa.Array:
    """Return text without U+0000, which PostgreSQL does not store: its JSON escape stands for it.

    `jsonb` refuses even the escape, so there its backslash is escaped once more.
    """
    if pc.any(pc.match_substring(column, "\0")).as_py():
        column = pc.replace_substring(column, "\0", "\\u0000")
    if kind in _JSON and pc.any(pc.match_substring(column, "\\u0000")).as_py():
        texts = [None if v is None else _ESCAPE.sub(_escaped, v) for v in column.to_pylist()]
        return pa.array(texts, pa.large_string())
    return column


def _escaped(found: re.Match[str]) -> str:
    return "\\\\u0000" if found[1] == "u0000" else found[0]
