"""Turn messages into tables: one table a message type, typed columns, names that are safe.

Rows that are Arrow already stay as they are, without a copy. JSON payloads become the
columns that their type's output schema declares (see `json_columns`); where none is
declared, the columns are `id`, `type`, `payload` and `metadata`, the last two as JSON text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.json_columns import ValueInvalid, columns_of, json_columns
from cdpplugin import Batch, Constant, PluginError, encode_json
from cdpplugin.batch import NO_METADATA

__all__ = [
    "MESSAGE_ID",
    "NameTaken",
    "SchemaChanged",
    "TableNames",
    "ValueInvalid",
    "arrow_rows",
    "check_schema",
    "safe_name",
    "split_by_type",
]

MESSAGE_ID = "message_id"
PLAIN_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "type", "payload", "metadata")])
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
TypeRows = tuple[str, Batch, Sequence[int]]


class SchemaChanged(PluginError):
    """Rows of one message type came with other columns than before."""

    code = "table.schema_changed"
    hint = "let the stage give the same columns always, or give the new shape a type of its own"

    def __init__(self, type: str, difference: str) -> None:  # noqa: A002
        super().__init__(f"the columns of type `{type}` changed: {difference}")


class NameTaken(PluginError):
    """Two message types, or two columns of one type, would have the same name."""

    code = "table.name_taken"
    hint = "rename one of them in a `map` stage before this one"


def split_by_type(batch: Batch, positions: Sequence[int]) -> list[TypeRows]:
    """Return *batch* as one batch a message type, each with the positions of its rows.

    Order is kept within a type; types stand in the order of their first rows. A batch of
    one type is returned as it is.
    """
    if len(batch) == 0:
        return []
    if isinstance(batch.types, Constant):
        return [(batch.types.value, batch, positions)]
    rows: dict[str, list[int]] = {}
    for row, kind in enumerate(batch.types):
        rows.setdefault(kind, []).append(row)
    if len(rows) == 1:
        return [(kind, batch, positions) for kind in rows]
    return [
        (kind, batch.take(taken), [positions[row] for row in taken]) for kind, taken in rows.items()
    ]


def arrow_rows(
    batch: Batch, schema: Mapping[str, Any] | None = None, *, message_id: bool = False
) -> pa.RecordBatch:
    """Return the messages of *batch*, all of one type, as rows of a table.

    Args:
        batch: The messages.
        schema: JSON Schema of the type's payload, if one is declared (`Context.schemas`).
        message_id: Whether the message id stands in front, as column `message_id`.

    Raises:
        ValueInvalid: A payload does not fit the schema.
        NameTaken: The rows have a column `message_id` of their own.
    """
    payloads = batch.payloads
    try:
        if isinstance(payloads, ArrowPayloads):
            rows = payloads.record_batch
        elif schema and schema.get("properties"):
            names = [column.name for column in columns_of(schema)]
            rows = pa.RecordBatch.from_arrays(json_columns(schema, payloads.json()), names)
        else:
            rows = _plain_rows(batch)
    except ValueInvalid as error:
        raise error.of_message(batch.ids[error.row]) from None
    return _with_message_id(rows, batch) if message_id else rows


def _plain_rows(batch: Batch) -> pa.RecordBatch:
    payloads = [_utf8(row, text) for row, text in enumerate(batch.payloads.json())]
    metadata = [
        "{}" if each is NO_METADATA else encode_json(dict(each)).decode() for each in batch.metadata
    ]
    columns = (list(batch.ids), list(batch.types), payloads, metadata)
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=PLAIN_SCHEMA)


def _utf8(row: int, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ValueInvalid("JSON in UTF-8", f"`{text[:30]!r}`", row=row) from None


def _with_message_id(rows: pa.RecordBatch, batch: Batch) -> pa.RecordBatch:
    if MESSAGE_ID in rows.schema.names:
        raise NameTaken(f"the rows of type `{batch.types[0]}` have a column `{MESSAGE_ID}`")
    ids = pa.array(list(batch.ids), pa.string())
    return pa.RecordBatch.from_arrays(
        [ids, *rows.columns],
        schema=pa.schema([pa.field(MESSAGE_ID, pa.string()), *rows.schema]),
    )


def check_schema(type: str, expected: pa.Schema, got: pa.Schema) -> None:  # noqa: A002
    """Compare columns by name and type, in order.

    Raises:
        SchemaChanged: They differ; the message names the first difference.
    """
    if expected.equals(got):
        return
    missing = [name for name in expected.names if name not in got.names]
    added = [name for name in got.names if name not in expected.names]
    if missing:
        raise SchemaChanged(type, f"expected column `{missing[0]}`, got none")
    if added:
        raise SchemaChanged(type, f"expected {len(expected)} columns, got `{added[0]}` besides")
    for before, now in zip(expected, got, strict=True):
        if not before.equals(now):
            raise SchemaChanged(type, f"expected `{before}`, got `{now}`")


def safe_name(type: str) -> str:  # noqa: A002
    """Return the folder or table name of a message type.

    A type made of letters, digits, `_`, `-` and `.`, beginning with a letter or digit and
    at most 63 characters long (what Postgres allows) is its own name. In any other the
    rest becomes `_`, and eight hex digits of its SHA-256 keep it apart from its likes.
    """
    if _SAFE.fullmatch(type):
        return type
    digest = hashlib.sha256(type.encode()).hexdigest()[:8]
    words = _UNSAFE.sub("_", type).lstrip("_.-")[:50] or "type"
    return f"{words}-{digest}"


class TableNames:
    """Gives each message type its table name, and refuses two types the same one.

    Names that differ in case only are the same: DuckDB and some file systems hold so.
    """

    def __init__(self) -> None:
        self._types: dict[str, str] = {}

    def of(self, type: str) -> str:  # noqa: A002
        """Return the table name of *type*.

        Raises:
            NameTaken: Another type of this run has that name.
        """
        name = safe_name(type)
        holder = self._types.setdefault(name.casefold(), type)
        if holder != type:
            raise NameTaken(f"types `{holder}` and `{type}` would share the table `{name}`")
        return name
