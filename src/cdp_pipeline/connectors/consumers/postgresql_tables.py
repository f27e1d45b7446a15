"""PostgreSQL tables that fit the rows that come: created, widened, and upserted into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from cdp_pipeline.connectors.consumers.postgresql_columns import column_type, copy_text, holds
from cdp_pipeline.connectors.consumers.sql_rows import ColumnMismatch, KeyMissing
from cdp_pipeline.connectors.tables import MESSAGE_ID

Cursor = psycopg.Cursor[Any]

_COLUMNS = """
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_HAS_KEY = """
SELECT true FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = to_regclass(%s) AND indisunique AND indpred IS NULL AND indnkeyatts = 1
AND attname = %s"""
# The incoming table lives as long as the session: one a commit would bloat the catalogue.
_STAGE = """
CREATE TEMPORARY TABLE {incoming} ON COMMIT DELETE ROWS AS
SELECT {names} FROM {table} WITH NO DATA"""
_COPY = "COPY {incoming} ({names}) FROM STDIN (FORMAT csv)"
_UPSERT = """
INSERT INTO {table} ({names}) SELECT {names} FROM {incoming}
ON CONFLICT ({key}) DO {action}"""


class PostgresqlTables:
    """The tables of one schema, as one session knows them."""

    def __init__(self, schema: str | None) -> None:
        self._schema = schema
        self._columns: dict[str, dict[str, str]] = {}
        self._incoming: dict[str, tuple[str, tuple[str, ...]]] = {}

    def reset(self) -> None:
        """Forget what was learnt: the session is new, or a transaction was rolled back."""
        self._columns = {}
        self._incoming = {}

    def identifier(self, table: str) -> sql.Identifier:
        """Return the quoted name of *table*, with its schema where one is configured."""
        return sql.Identifier(self._schema, table) if self._schema else sql.Identifier(table)

    def columns_of(self, cursor: Cursor, table: str) -> dict[str, str]:
        """Return the columns of *table* and their types; nothing where it is missing."""
        cursor.execute(_COLUMNS, (self.identifier(table).as_string(cursor),))
        return dict(cursor.fetchall())

    def upsert(self, cursor: Cursor, table: str, rows: pa.Table) -> None:
        """Put *rows* into *table*, each in the place of the one with its message id.

        Raises:
            ColumnMismatch: A column is of a type that does not hold what comes.
            KeyMissing: The table was made by somebody else, without the key.
        """
        columns = tuple(rows.column_names)
        types = self._fit(cursor, table, rows.schema)
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        parts: dict[str, sql.Composable] = {"table": self.identifier(table), "names": names}
        parts["incoming"] = self._staged(cursor, table, columns, parts)
        with cursor.copy(sql.SQL(_COPY).format(**parts)) as copy:
            for text in copy_text(rows, types):
                copy.write(memoryview(text))
        key = sql.Identifier(MESSAGE_ID)
        cursor.execute(sql.SQL(_UPSERT).format(**parts, key=key, action=_action(columns)))

    def _fit(self, cursor: Cursor, table: str, schema: pa.Schema) -> dict[str, str]:
        """Make *table* hold rows of *schema*; return its columns and their types."""
        coming = {field.name: column_type(table, field) for field in schema}
        held = self._columns.get(table)
        if held is None:
            held = self.columns_of(cursor, table)
            if not held:
                self._create(cursor, table, coming)
                held = coming
            elif not self._has_key(cursor, table):
                raise KeyMissing(table)
        added = {name: kind for name, kind in coming.items() if name not in held}
        for name in coming.keys() - added.keys():
            if not holds(held[name], coming[name]):
                raise ColumnMismatch(table, name, expected=held[name], got=coming[name])
        for name, kind in added.items():
            self._add(cursor, table, name, kind)
        self._columns[table] = {**held, **added}
        return self._columns[table]

    def _create(self, cursor: Cursor, table: str, columns: Mapping[str, str]) -> None:
        described = [
            sql.SQL("{} {}{}").format(
                sql.Identifier(name),
                sql.SQL(kind),  # one of our own words, never of a message
                sql.SQL(" PRIMARY KEY" if name == MESSAGE_ID else ""),
            )
            for name, kind in columns.items()
        ]
        statement = sql.SQL("CREATE TABLE {} ({})")
        cursor.execute(statement.format(self.identifier(table), sql.SQL(", ").join(described)))

    def _add(self, cursor: Cursor, table: str, name: str, kind: str) -> None:
        statement = sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
            self.identifier(table),
            sql.Identifier(name),
            sql.SQL(kind),  # one of our own words, never of a message
        )
        cursor.execute(statement)

    def _has_key(self, cursor: Cursor, table: str) -> bool:
        name = self.identifier(table).as_string(cursor)
        return cursor.execute(_HAS_KEY, (name, MESSAGE_ID)).fetchone() is not None

    def _staged(
        self,
        cursor: Cursor,
        table: str,
        columns: tuple[str, ...],
        parts: Mapping[str, sql.Composable],
    ) -> sql.Identifier:
        """Return the temporary table that takes rows for *table*, made where it is not there."""
        name, known = self._incoming.get(table, (f"cdp_incoming_{len(self._incoming)}", ()))
        incoming = sql.Identifier("pg_temp", name)
        if known != columns:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(incoming))
            cursor.execute(sql.SQL(_STAGE).format(**parts, incoming=incoming))
            self._incoming[table] = (name, columns)
        return incoming


def _action(columns: tuple[str, ...]) -> sql.Composable:
    changes = [
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
        for name in columns
        if name != MESSAGE_ID
    ]
    if not changes:
        return sql.SQL("NOTHING")
    return sql.SQL("UPDATE SET {}").format(sql.SQL(", ").join(changes))
