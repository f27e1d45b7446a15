"""A consumer that writes messages to a table in PostgreSQL, each once.

A delivery is one transaction, and is acknowledged when that is committed. After a crash the host
hands over again what was not acknowledged; a message that is there already is written over,
since its type and id are the table's key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from instructions import instruction
from psycopg import sql
from settings import Settings

import cdpplugin
from cdpplugin import Base, Context, Delivery, HealthStatus, PluginError, PluginMetadata, Retry

METADATA = PluginMetadata("postgres-consumer-python", "0.1.0", "consumer")
"""The rest stands in `plugin.yaml`."""

EXISTS = sql.SQL("SELECT to_regclass(%s) IS NOT NULL")
CREATE = sql.SQL("""
CREATE TABLE IF NOT EXISTS {} (
    type text NOT NULL,
    id text NOT NULL,
    position bigint NOT NULL,
    payload jsonb NOT NULL,
    metadata jsonb NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (type, id)
)""")
UPSERT = sql.SQL("""
INSERT INTO {} (type, id, position, payload, metadata)
SELECT type, id, position, payload::jsonb, metadata::jsonb
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[])
    AS given (type, id, position, payload, metadata)
ON CONFLICT (type, id) DO UPDATE
SET position = excluded.position, payload = excluded.payload, metadata = excluded.metadata,
    written_at = excluded.written_at""")


class PostgresConsumer(Base):
    """Writes each delivery in one transaction."""

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._trouble = ""
        self._log = cdpplugin.get_logger()

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return METADATA

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration."""
        self._settings = Settings.of(config)

    async def start(self, context: Context) -> None:
        """Connect and make the table. A server that is away may come back: it is no failure.

        Raises:
            Fatal: The server refuses the login, or to make the table.
        """
        try:
            await self._connected()
        except Retry as error:
            self._log.warning("the server is away", error=str(error))

    async def stop(self) -> None:
        """Leave the server."""
        await self._disconnect()

    async def health(self) -> HealthStatus:
        """Say whether the last attempt to write went well."""
        if self._trouble:
            return HealthStatus("degraded", self._trouble)
        return HealthStatus()

    async def consume(self, delivery: Delivery) -> int:
        """Write *delivery* and return its mark: by then it is committed.

        Raises:
            Retry: The server is away; the host hands the delivery over again.
            Fatal: The server refuses the login or the table.
            PluginError: The server refuses the data; the stage's `on_error` decides.
        """
        rows = rows_of(delivery)
        if rows:
            connection = await self._connected()
            try:
                async with connection.transaction():
                    await connection.execute(self._upsert, columns_of(rows))
            except psycopg.Error as error:
                raise await self._failed(error) from None
            self._trouble = ""
        return delivery.completed_through

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        """Return the connection; a new one, and the table, where there is none."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        settings = self._settings
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                **settings.connection, autocommit=True, prepare_threshold=None
            )
            await self._make_table(self._connection)
        except psycopg.Error as error:
            raise await self._failed(error) from None
        self._upsert = UPSERT.format(settings.table)
        self._trouble = ""
        return self._connection

    async def _make_table(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Make the table where there is none: who may write to one need not be allowed to."""
        table = self._settings.table
        found = await connection.execute(EXISTS, [table.as_string(connection)])
        if await found.fetchone() == (False,):
            await connection.execute(CREATE.format(table))

    async def _failed(self, error: psycopg.Error) -> PluginError:
        """Return what the host is to do about *error*; after one that passes it connects anew."""
        told = instruction(error, self._settings.place)
        self._trouble = str(told)
        if isinstance(told, Retry):
            await self._disconnect()
        return told

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


Row = tuple[str, str, int, str, str]


def rows_of(delivery: Delivery) -> list[Row]:
    """Return the rows of *delivery*; of several with one type and id the last."""
    batch = delivery.batch
    payloads = (text.decode() or "null" for text in batch.payloads.json())
    metadata = (cdpplugin.encode_json(each).decode() for each in batch.metadata)
    columns = zip(batch.types, batch.ids, delivery.positions, payloads, metadata, strict=True)
    return list({row[:2]: row for row in columns}.values())


def columns_of(rows: list[Row]) -> list[list[Any]]:
    """Return *rows* as columns, an array each."""
    return [list(column) for column in zip(*rows, strict=True)]


if __name__ == "__main__":
    cdpplugin.serve(PostgresConsumer())
