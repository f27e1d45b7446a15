"""The consumer on a real server, where DATABASE_URL names one: python -m unittest discover test"""

from __future__ import annotations

import os
import sys
import unittest
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from instructions import instruction
from plugin import PostgresConsumer
from settings import Settings

from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal, PluginError, Retry

DSN = os.environ.get("DATABASE_URL", "")
AWAY = "postgresql://u:secret@127.0.0.1:1/d"


def delivery(through: int, *rows: tuple[str, Any]) -> Delivery:
    """Return messages of one position, given by id and payload."""
    batch = Batch.of(
        "T",
        [payload for _, payload in rows],
        ids=[name for name, _ in rows],
        metadata=[{"k": 1} for _ in rows],
    )
    return Delivery(batch, [through] * len(rows), through)


@unittest.skipUnless(DSN, "DATABASE_URL is not set")
class ServerTest(unittest.IsolatedAsyncioTestCase):
    """Each test has a table of its own."""

    async def asyncSetUp(self) -> None:
        """Start a consumer."""
        self.table = self.id().rpartition(".")[2]
        with psycopg.connect(DSN, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(self.table))
            )
        self.consumer = PostgresConsumer()
        await self.consumer.configure({"dsn": DSN, "table": self.table})
        await self.consumer.start(Context())
        self.addAsyncCleanup(self.consumer.stop)

    def rows(self) -> list[Any]:
        """Return what the table holds."""
        query = sql.SQL("SELECT type, id, position, payload, metadata FROM {} ORDER BY 3, 2")
        with psycopg.connect(DSN) as connection:
            return connection.execute(query.format(sql.Identifier(self.table))).fetchall()

    async def test_a_role_that_may_write_only(self) -> None:
        """A role that may write to the table, and make none, is enough where there is one.

        Before PostgreSQL 15 every role may make tables in `public`.
        """
        with psycopg.connect(DSN, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS py_writer")
            connection.execute("CREATE ROLE py_writer")
            table = sql.Identifier(self.table)
            rights = sql.SQL("GRANT SELECT, INSERT, UPDATE ON {} TO py_writer")
            connection.execute(rights.format(table))
            self.addCleanup(self.drop_role)
        consumer = PostgresConsumer()
        dsn = make_conninfo(DSN, options="-c role=py_writer")
        await consumer.configure({"dsn": dsn, "table": self.table})
        await consumer.start(Context())
        self.addAsyncCleanup(consumer.stop)
        assert 1 == await consumer.consume(delivery(1, ("a", {})))
        assert 1 == len(self.rows())

    def drop_role(self) -> None:
        """Take the role away, and what it may do."""
        with psycopg.connect(DSN, autocommit=True) as connection:
            connection.execute("DROP OWNED BY py_writer")
            connection.execute("DROP ROLE py_writer")

    async def test_writes(self) -> None:
        """What is acknowledged is committed; a row that comes again is written over."""
        first = delivery(5, ("a", {"n": 12345678901234567890}), ("b", None), ("b", 2))
        assert 5 == await self.consumer.consume(first)
        assert {"n": 12345678901234567890} == self.rows()[0][3]
        await self.consumer.consume(delivery(6, ("a", "again")))
        expected = [("T", "b", 5, 2, {"k": 1}), ("T", "a", 6, "again", {"k": 1})]
        assert expected == self.rows()
        assert 9 == await self.consumer.consume(delivery(9))

    async def test_refused_row(self) -> None:
        """A delivery with a row that the server refuses writes nothing; the next one goes on."""
        with self.assertRaises(PluginError) as caught:
            await self.consumer.consume(delivery(1, ("a", 1), ("b", "\0")))
        assert "postgres.data_refused" == caught.exception.code
        assert "degraded" == (await self.consumer.health()).status
        assert [] == self.rows()
        await self.consumer.consume(delivery(1, ("a", 1)))
        assert "healthy" == (await self.consumer.health()).status

    async def test_reconnects(self) -> None:
        """A connection that the server ends is a retry, after which the delivery is taken."""
        connection = self.consumer._connection
        assert connection is not None
        with psycopg.connect(DSN) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with self.assertRaises(Retry) as caught:
            await self.consumer.consume(delivery(1, ("a", 1)))
        assert "postgres.server_away" == caught.exception.code
        assert 1 == await self.consumer.consume(delivery(1, ("a", 1)))

    async def test_refused_table(self) -> None:
        """A table that the server refuses ends the start."""
        consumer = PostgresConsumer()
        await consumer.configure({"dsn": DSN, "table": "no_such_schema.t"})
        with self.assertRaises(Fatal):
            await consumer.start(Context())
        await consumer.stop()


class OwnTest(unittest.IsolatedAsyncioTestCase):
    """What needs no server."""

    async def test_away(self) -> None:
        """A server that is away does not end the start; the health says so, without a secret."""
        consumer = PostgresConsumer()
        await consumer.configure({"dsn": AWAY})
        await consumer.start(Context())
        status = await consumer.health()
        assert "degraded" == status.status
        assert "secret" not in status.message

    def test_instructions(self) -> None:
        """What a server says is told apart by its SQLSTATE, a refused login by its words."""
        for state, code in (
            ("28P01", "login_refused"),
            ("3D000", "login_refused"),
            ("57P01", "server_away"),
            ("40001", "server_away"),
            ("53300", "server_away"),
            ("22P05", "data_refused"),
            ("23514", "data_refused"),
            ("42501", "refused"),
            ("42P10", "refused"),
        ):
            error = psycopg.errors.lookup(state)("no")
            assert f"postgres.{code}" == instruction(error, "d").code, state
        words = 'connection failed: FATAL:  password authentication failed for user "u"'
        assert isinstance(instruction(psycopg.OperationalError(words), "d"), Fatal)

    def test_configuration(self) -> None:
        """A configuration that cannot be used is refused, and its password is not repeated."""
        for config in (
            {},
            {"dsn": "secret://x y"},
            {"dsn": "host=x", "table": "a b"},
            {"dsn": "host=x", "tabel": "a"},
            {"dsn": "host=x", "connect_timeout": 0},
        ):
            with self.subTest(config=config), self.assertRaises(ConfigInvalid) as caught:
                Settings.of(config)
            assert caught.exception.hint
            assert "secret" not in str(caught.exception)
        assert "secret" not in repr(Settings.of({"dsn": AWAY}))


if __name__ == "__main__":
    unittest.main()
