"""A PostgreSQL database as the SQL consumers see it: one connection, and the positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg import sql

from cdp_pipeline.connectors.consumers.postgresql_errors import (
    CONNECTION_LOST,
    DATA_REFUSED,
    instruction,
)
from cdp_pipeline.connectors.consumers.postgresql_tables import Cursor, PostgresqlTables
from cdp_pipeline.connectors.consumers.sql_store import POSITIONS_TABLE, Store
from cdpplugin import Fatal

# A peer that vanishes without a word is noticed within about half a minute.
_LIVENESS = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_SESSION: tuple[LiteralString, ...] = (
    "SET TimeZone = 'UTC'",
    # A position that the host has been given must not be lost with the server.
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'",
)
# Two that start at once would both see no table: any number, the same for all of them.
_ONE_AT_A_TIME: LiteralString = "SELECT pg_advisory_xact_lock(7166193224351745)"
_CREATE_POSITIONS: LiteralString = """
CREATE TABLE IF NOT EXISTS {} (
    pipeline text, stage text, table_name text, position bigint NOT NULL,
    updated_at timestamptz NOT NULL, PRIMARY KEY (pipeline, stage, table_name)
)"""
_READ_POSITIONS: LiteralString = (
    "SELECT table_name, position FROM {} WHERE pipeline = %s AND stage = %s"
)
_STORE_POSITION: LiteralString = """
INSERT INTO {} AS held VALUES (%s, %s, %s, %s, now())
ON CONFLICT (pipeline, stage, table_name) DO UPDATE
SET position = greatest(held.position, excluded.position), updated_at = excluded.updated_at"""
_FORGET: LiteralString = "DELETE FROM {} WHERE pipeline = %s AND stage = %s"


class PostgresqlStore(Store):
    """One database, reached by one connection."""

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        schema: str | None,
        pipeline: str,
        stage: str,
        connect_timeout_s: float,
        secrets: Sequence[str],
    ) -> None:
        place = parameters.get("host") or parameters.get("hostaddr") or "the default host"
        database = parameters.get("dbname") or parameters.get("user") or "the default database"
        self.where = f"PostgreSQL database `{database}` on `{place}`"
        self._parameters: dict[str, Any] = {
            "connect_timeout": max(2, ceil(connect_timeout_s)),  # libpq takes 1 s for 2 s
            "application_name": f"flowctl {pipeline}/{stage}"[:63],
            **_LIVENESS,
            **parameters,
            "client_encoding": "UTF8",
        }
        self._schema = schema
        self._owner = (pipeline, stage)
        self._secrets = secrets
        self._connection: psycopg.Connection[Any] | None = None
        self._tables = PostgresqlTables(schema)

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def open(self) -> None:
        self.close()
        with self._translated():
            connection = psycopg.connect(
                **self._parameters, autocommit=True, prepare_threshold=None
            )
            self._connection = connection
            for statement in _SESSION:
                connection.execute(statement)
        with self._transaction() as cursor:
            cursor.execute(_ONE_AT_A_TIME)
            self._create_schema(cursor)
            if not self._tables.columns_of(cursor, POSITIONS_TABLE):
                cursor.execute(self._positions(_CREATE_POSITIONS))

    def positions(self) -> dict[str, int]:
        with self._transaction() as cursor:
            cursor.execute(self._positions(_READ_POSITIONS), self._owner)
            return dict(cursor.fetchall())

    def missing(self, tables: Sequence[str]) -> Sequence[str]:
        with self._transaction() as cursor:
            return [table for table in tables if not self._tables.columns_of(cursor, table)]

    def write(self, tables: Mapping[str, pa.Table], positions: Mapping[str, int]) -> None:
        with self._transaction() as cursor:
            for table, rows in tables.items():
                self._tables.upsert(cursor, table, rows)
            cursor.executemany(
                self._positions(_STORE_POSITION),
                [(*self._owner, table, position) for table, position in positions.items()],
            )

    def forget(self) -> dict[str, int]:
        self.open()
        held = self.positions()
        with self._transaction() as cursor:
            cursor.execute(self._positions(_FORGET), self._owner)
        return held

    def ping(self) -> None:
        with self._transaction() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._tables.reset()
        if connection is not None:
            connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """Commit what is done within, all of it or nothing."""
        with self._translated():
            connection = self._connection
            assert connection is not None, "`open` comes first"
            with connection.transaction(), connection.cursor() as cursor:
                yield cursor

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say of whatever fails what is to be done about it."""
        try:
            yield
        except psycopg.Error as error:
            told = instruction(error, self.where, self._secrets)
            self._tables.reset()
            if told.code == CONNECTION_LOST:
                self.close()
            raise told from None  # the driver's error may quote the connection's parameters
        except pa.ArrowException as error:
            self._tables.reset()
            raise Fatal(f"{self.where}: {error}", code=DATA_REFUSED) from error
        except Exception:
            self._tables.reset()
            raise

    def _create_schema(self, cursor: Cursor) -> None:
        if self._schema is None:
            return
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,))
        if cursor.fetchone() is None:
            name = sql.Identifier(self._schema)
            cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))

    def _positions(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(self._tables.identifier(POSITIONS_TABLE))
