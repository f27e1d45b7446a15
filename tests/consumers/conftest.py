"""Both SQL consumers as tests see them, and a real PostgreSQL server."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from cdp_pipeline.connectors.consumers.duckdb import SaveToDuckdb
from cdp_pipeline.connectors.consumers.postgresql import SaveToPostgresql
from cdp_pipeline.connectors.consumers.sql import SqlConsumer
from cdpplugin import Context
from tests._postgres import Database, postgres, postgres_server

__all__ = ["SqlTarget", "postgres", "postgres_server", "sql_target"]


class SqlTarget(ABC):
    """A database that a consumer writes to, and how it is read back without that consumer."""

    name: str
    config: dict[str, Any]
    consumer: type[SqlConsumer]

    @abstractmethod
    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows that the database's own engine answers."""

    @asynccontextmanager
    async def started(
        self,
        context: Context | None = None,
        clock: Callable[[], float] = time.monotonic,
        **config: Any,
    ) -> AsyncIterator[SqlConsumer]:
        """A consumer that is configured and started, and stopped in the end."""
        consumer = self.consumer(clock=clock)
        await consumer.configure(self.config | config)
        try:
            await consumer.start(context or Context("pipeline", "sink"))
            yield consumer
        finally:
            await consumer.stop()

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of *table* in the order of their message ids."""
        names = ", ".join(columns) or "*"
        return self.query(f'SELECT {names} FROM "{table}" ORDER BY message_id')

    def positions(self) -> dict[str, int]:
        """Return the stored positions by table."""
        return dict(self.query("SELECT table_name, position FROM cdp_positions"))


class DuckdbTarget(SqlTarget):
    name = "duckdb"
    consumer = SaveToDuckdb

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = {"path": str(path)}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(sql).fetchall()


class PostgresqlTarget(SqlTarget):
    name = "postgresql"
    consumer = SaveToPostgresql

    def __init__(self, database: Database) -> None:
        self.database = database
        self.config = database.config

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            found: Sequence[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
            return list(found)


@pytest.fixture(params=["duckdb", "postgresql"])
def sql_target(request: pytest.FixtureRequest, tmp_path: Path) -> SqlTarget:
    """Each of the two databases in turn, empty."""
    if request.param == "duckdb":
        return DuckdbTarget(tmp_path / "rows.duckdb")
    return PostgresqlTarget(request.getfixturevalue("postgres"))
