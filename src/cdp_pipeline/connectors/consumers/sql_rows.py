"""Rows that wait for their commit, table by table, as Arrow; and what SQL asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from cdp_pipeline.connectors.consumers.sql_store import MAX_NAME_BYTES
from cdp_pipeline.connectors.tables import MESSAGE_ID
from cdpplugin import Fatal

_PLAIN = {pa.null(): pa.string(), pa.float16(): pa.float32()}


class MessageIdMissing(Fatal):
    """A row without an id cannot be told from another."""

    code = "sql.message_id_missing"
    hint = "this is a fault of the host or of the stage before: every message has an id"


class ColumnMismatch(Fatal):
    """A table has a column that cannot hold what came for it."""

    code = "sql.column_mismatch"

    def __init__(self, table: str, column: str, *, expected: str, got: str) -> None:
        super().__init__(
            f"column `{table}.{column}`: expected `{expected}` as in the table, got `{got}`",
            hint="change the column's type in the database, or give the type another table",
        )


class KeyMissing(Fatal):
    """A table that was not made by this consumer has no key to upsert by."""

    code = "sql.key_missing"

    def __init__(self, table: str) -> None:
        super().__init__(
            f"table `{table}`: expected `{MESSAGE_ID}` as a primary key or unique column, got none",
            hint=f"add the key, or name another table for the type under `tables`: `{MESSAGE_ID}` "
            "is what keeps a replay from doubling rows",
        )


class ColumnNameInvalid(Fatal):
    """A column has a name that no SQL table can have."""

    code = "sql.column_name_invalid"
    hint = "rename it in a `map` stage before this one"


def checked(table: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return *rows* in types that every database knows.

    Columns that hold nothing but nulls become text, half floats become floats.

    Raises:
        MessageIdMissing: A row has no message id.
        ColumnNameInvalid: A name is empty, too long, or there twice but for its case.
    """
    ids = rows.column(MESSAGE_ID)
    if rows.num_rows and (ids.null_count or pc.any(pc.equal(ids, "")).as_py()):
        raise MessageIdMissing(f"rows for table `{table}` came without message ids")
    seen: set[str] = set()
    for name in rows.schema.names:
        if not 0 < len(name.encode()) <= MAX_NAME_BYTES or "\0" in name:
            raise ColumnNameInvalid(
                f"column `{table}.{name}`: expected a name of 1 to {MAX_NAME_BYTES} bytes"
            )
        if name.casefold() in seen:
            raise ColumnNameInvalid(f"column `{table}.{name}` is there twice, but for its case")
        seen.add(name.casefold())
    if any(column.type in _PLAIN for column in rows.schema):
        fields = [each.with_type(_PLAIN.get(each.type, each.type)) for each in rows.schema]
        rows = rows.cast(pa.schema(fields))
    return rows


@dataclass(frozen=True, slots=True)
class Pending:
    """Rows of several deliveries, in the order they came, and the mark of the last one.

    Attributes:
        mark: Everything at or before this position has come.
        batches: The rows by table.
        schemas: The columns of those rows, all of them, by table.
        rows: How many rows wait in all tables.
        size_bytes: How much memory they take.
    """

    mark: int
    batches: Mapping[str, tuple[pa.RecordBatch, ...]] = field(default_factory=dict)
    schemas: Mapping[str, pa.Schema] = field(default_factory=dict)
    rows: int = 0
    size_bytes: int = 0

    def clashes(self, more: Mapping[str, pa.RecordBatch]) -> bool:
        """Say whether *more* has columns of another type than rows that wait already.

        Then those are committed first, and the database says whether the change fits.
        """
        return any(
            _differ(schema, more[table].schema)
            for table, schema in self.schemas.items()
            if table in more
        )

    def plus(self, more: Mapping[str, pa.RecordBatch], mark: int) -> Pending:
        """Return what waits together with *more*; this object stays as it is."""
        batches, schemas = dict(self.batches), dict(self.schemas)
        for table, rows in more.items():
            if rows.num_rows:
                batches[table] = (*batches.get(table, ()), rows)
                schemas[table] = _united(schemas.get(table, rows.schema), rows.schema)
        return Pending(
            max(mark, self.mark),
            batches,
            schemas,
            self.rows + sum(rows.num_rows for rows in more.values()),
            self.size_bytes + sum(rows.nbytes for rows in more.values()),
        )

    def emptied(self) -> Pending:
        """Return the same mark without rows."""
        return replace(self, batches={}, schemas={}, rows=0, size_bytes=0)

    def tables(self) -> dict[str, pa.Table]:
        """Return all rows as one table each, every message id once: the last one counts."""
        return {table: _last_of_each_id(_joined(rows)) for table, rows in self.batches.items()}


def _differ(one: pa.Schema, other: pa.Schema) -> bool:
    if one is other:
        return False
    common = set(one.names) & set(other.names)
    return any(not one.field(name).type.equals(other.field(name).type) for name in common)


def _united(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    return one if one.equals(other) else pa.unify_schemas([one, other])


def _joined(batches: tuple[pa.RecordBatch, ...]) -> pa.Table:
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return pa.concat_tables(tables, promote_options="default")


def _last_of_each_id(table: pa.Table) -> pa.Table:
    ids = table.column(MESSAGE_ID)
    if pc.count_distinct(ids).as_py() == len(table):
        return table
    numbered = pa.table({"id": ids, "row": pa.array(range(len(table)), pa.int64())})
    last = numbered.group_by("id").aggregate([("row", "max")]).column("row_max")
    return table.take(last.sort())
