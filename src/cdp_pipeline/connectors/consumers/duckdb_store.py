"""A DuckDB file as the SQL consumers see it: typed tables, upserts, positions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, RLock
from typing import Any
from weakref import WeakValueDictionary

import duckdb
import pyarrow as pa

from cdp_pipeline.connectors.consumers.duckdb_errors import instruction
from cdp_pipeline.connectors.consumers.sql_rows import ColumnMismatch, KeyMissing
from cdp_pipeline.connectors.consumers.sql_store import POSITIONS_TABLE, Store
from cdp_pipeline.connectors.tables import MESSAGE_ID

_INCOMING = "cdp_incoming"
_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_HOLDS = {
    ("DOUBLE", "FLOAT"),
    ("JSON", "VARCHAR"),
    ("VARCHAR", "JSON"),
    *((wide, narrow) for row in (_SIGNED, _UNSIGNED) for narrow in row for wide in row
      if row.index(wide) > row.index(narrow)),
}  # fmt: skip
_CREATE_POSITIONS = f"""
CREATE TABLE IF NOT EXISTS {POSITIONS_TABLE} (
    pipeline VARCHAR, stage VARCHAR, table_name VARCHAR, position BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL, PRIMARY KEY (pipeline, stage, table_name)
)"""
_READ_POSITIONS = (
    f"SELECT table_name, position FROM {POSITIONS_TABLE} WHERE pipeline = ? AND stage = ?"  # noqa: S608
)
_STORE_POSITION = f"""
INSERT INTO {POSITIONS_TABLE} VALUES (?, ?, ?, ?, now())
ON CONFLICT (pipeline, stage, table_name)
DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at"""  # noqa: S608
_FORGET = f"DELETE FROM {POSITIONS_TABLE} WHERE pipeline = ? AND stage = ?"  # noqa: S608

# Stages of one process that write to one file take turns: DuckDB knows one database a file
# and process, and answers writers that meet with errors of many kinds.
_turns: WeakValueDictionary[Path, Any] = WeakValueDictionary()
_turns_lock = Lock()


def _turn_at(path: Path) -> Any:
    with _turns_lock:
        key = path.resolve()
        turn = _turns.get(key)
        if turn is None:
            turn = _turns[key] = RLock()
        return turn


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _create(path: Path) -> None:
    """Make an empty database at *path*, whole or not at all.

    DuckDB writes a new file in several steps, and refuses one that a crash left between two.
    """
    staged = path.with_name(f".{path.name}.tmp")
    staged.unlink(missing_ok=True)
    duckdb.connect(str(staged)).close()
    _sync(staged)
    staged.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DuckdbStore(Store):
    """One DuckDB file, held open from `open` to `close`."""

    def __init__(
        self, path: Path, *, pipeline: str, stage: str, memory_limit_bytes: int | None = None
    ) -> None:
        self.where = f"DuckDB file `{path}`"
        self._path = path
        self._owner = [pipeline, stage]
        self._memory_limit_bytes = memory_limit_bytes
        self._turn = _turn_at(path)
        self._connection: Any = None
        self._columns: dict[str, dict[str, str]] = {}

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        with self._turn, self._translated():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._path.exists():
                _create(self._path)
            self._connection = duckdb.connect(str(self._path))
            if self._memory_limit_bytes is not None:
                self._execute(f"SET memory_limit = '{self._memory_limit_bytes}B'")
            self._execute(_CREATE_POSITIONS)

    def positions(self) -> dict[str, int]:
        with self._translated():
            return dict(self._execute(_READ_POSITIONS, self._owner))

    def missing(self, tables: Sequence[str]) -> Sequence[str]:
        with self._translated():
            return [table for table in tables if not self._columns_of(table)]

    def write(self, tables: Mapping[str, pa.Table], positions: Mapping[str, int]) -> None:
        found = dict(self._columns)
        with self._turn, self._translated():
            self._execute("BEGIN")
            for table, rows in tables.items():
                self._connection.register(_INCOMING, rows)
                found[table] = self._fit(table, found.get(table) or self._columns_of(table))
                self._execute(_upsert(table, rows.column_names))
                self._connection.unregister(_INCOMING)
            for table, position in positions.items():
                self._execute(_STORE_POSITION, [*self._owner, table, position])
            self._execute("COMMIT")
        self._columns = found

    def forget(self) -> dict[str, int]:
        if not self._path.exists():
            return {}
        self.open()
        held = self.positions()
        with self._turn, self._translated():
            self._execute(_FORGET, self._owner)
        return held

    def ping(self) -> None:
        with self._translated():
            self._execute("SELECT 1")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._columns = {}
        if connection is not None:
            try:
                connection.close()
            except duckdb.Error:
                return  # what was committed is in the file or its log; the rest comes again

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql, list(values)).fetchall()
        return rows

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """End the transaction of whatever fails, and say what is to be done about it."""
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            self._give_up(error)
            raise instruction(error, self.where) from error
        except Exception as error:
            self._give_up(error)
            raise

    def _give_up(self, error: Exception) -> None:
        if self._connection is None:
            return
        if isinstance(error, (duckdb.FatalException, duckdb.InternalException)):
            self.close()  # DuckDB refuses all work until the file is opened again
            return
        try:
            self._execute("ROLLBACK")
        except duckdb.TransactionException:
            return  # none was open, or the failed commit has ended it
        except duckdb.Error:
            self.close()

    def _columns_of(self, table: str) -> dict[str, str]:
        rows = self._execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? AND "
            "database_name = current_database() AND schema_name = current_schema() "
            "ORDER BY column_index",
            [table],
        )
        return dict(rows)

    def _fit(self, table: str, held: Mapping[str, str]) -> dict[str, str]:
        """Make *table* hold the incoming rows; return its columns and their types.

        Raises:
            ColumnMismatch: A column is of a type that does not hold what comes.
            KeyMissing: The table was made by somebody else, without the key.
        """
        coming = [row[:2] for row in self._execute(f"DESCRIBE {_INCOMING}")]
        if not held:
            self._create(table, coming)
            return dict(coming)
        columns = dict(held)
        types = {name.casefold(): kind for name, kind in held.items()}
        for name, kind in coming:
            there = types.get(name.casefold())
            if there is None:
                self._execute(f"ALTER TABLE {_quoted(table)} ADD COLUMN {_quoted(name)} {kind}")
                columns[name] = kind
            elif there != kind and (there, kind) not in _HOLDS:
                raise ColumnMismatch(table, name, expected=there, got=kind)
        if table not in self._columns and not self._has_key(table):
            raise KeyMissing(table)
        return columns

    def _create(self, table: str, columns: Sequence[Sequence[str]]) -> None:
        described = ", ".join(
            f"{_quoted(name)} {kind}{' PRIMARY KEY' if name == MESSAGE_ID else ''}"
            for name, kind in columns
        )
        self._execute(f"CREATE TABLE {_quoted(table)} ({described})")

    def _has_key(self, table: str) -> bool:
        rows = self._execute(
            "SELECT 1 FROM duckdb_constraints() WHERE table_name = ? AND constraint_type IN "
            "('PRIMARY KEY', 'UNIQUE') AND constraint_column_names = [?]",
            [table, MESSAGE_ID],
        )
        return bool(rows)


def _upsert(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(map(_quoted, columns))
    changes = ", ".join(
        f"{_quoted(name)} = excluded.{_quoted(name)}" for name in columns if name != MESSAGE_ID
    )
    action = f"UPDATE SET {changes}" if changes else "NOTHING"
    return (
        f"INSERT INTO {_quoted(table)} ({names}) SELECT {names} FROM {_INCOMING} "  # noqa: S608
        f"ON CONFLICT ({MESSAGE_ID}) DO {action}"
    )
