"""What only `save-to-postgresql` has to keep; the rest is in `test_sql`."""

from __future__ import annotations

import asyncio
import math
import random
import signal
import struct
import traceback
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.consumers.postgresql import SaveToPostgresql
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal, PluginError, Retry
from tests._postgres import PASSWORD, Database, Server
from tests.consumers.conftest import PostgresqlTarget
from tests.consumers.stream import ROWS_PER_POSITION, Row, deliveries, rows_of

SECRET = "hunter2"
MARKED_JSON = {"content_type": "application/json"}


@pytest.fixture
def target(postgres: Database) -> PostgresqlTarget:
    return PostgresqlTarget(postgres)


def delivery(mark: int = 1, *fields: pa.Field, **columns: pa.Array) -> Delivery:
    """Rows `0`, `1`, ... of one position."""
    columns = columns or {"n": pa.array([mark])}
    given = {field.name: field for field in fields}
    schema = pa.schema([given.get(n, pa.field(n, array.type)) for n, array in columns.items()])
    rows = pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)
    ids = [f"{mark}:{row:06}" for row in range(rows.num_rows)]
    batch = Batch(types="rows", payloads=ArrowPayloads(rows), ids=ids)
    return Delivery(batch, [mark] * len(ids), mark)


async def written(target: PostgresqlTarget, given: Delivery) -> None:
    """Write one delivery, and once more over itself."""
    async with target.started(commit_interval="0s") as consumer:
        await consumer.consume(given)
    consumer = SaveToPostgresql()
    await consumer.configure(target.config)
    await consumer.forget(Context("pipeline", "sink"))
    async with target.started(commit_interval="0s") as consumer:
        await consumer.consume(given)


def types_of(target: PostgresqlTarget) -> dict[str, str]:
    return dict(
        target.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'rows'::regclass AND attnum > 0"
        )
    )


class TestValues:
    async def test_every_type(self, target: PostgresqlTarget) -> None:
        """Each Arrow type has its PostgreSQL type, and every value comes back as it was."""
        columns = {
            "u64": pa.array([2**64 - 1, 0], pa.uint64()),
            "u32": pa.array([2**32 - 1, None], pa.uint32()),
            "i64": pa.array([-(2**63), 2**63 - 1]),
            "i32": pa.array([-(2**31), None], pa.int32()),
            "i8": pa.array([-128, 127], pa.int8()),
            "f32": pa.array([0.5, math.inf], pa.float32()),
            "half": pa.array([1.5, None], pa.float16()),
            "d": pa.array([Decimal("123456789012345678901.1234567"), None]),
            "huge": pa.array([Decimal(10) ** 70, None], pa.decimal256(76, 0)),
            "ok": pa.array([True, False]),
            "text": pa.array(["", None]),
            "raw": pa.array([b"\0\xff", b""]),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "nothing": pa.nulls(2),
            "at": pa.array([datetime(2020, 7, 28, 1, 2, 3, 456789, UTC), None]),
            "berlin": pa.array([1_600_000_000, None], pa.timestamp("s", "Europe/Berlin")),
            "local": pa.array([datetime(1969, 12, 31, 23, 59, 59, 1), None]),
            "day": pa.array([date(2020, 7, 28), None]),
            "clock": pa.array([time(1, 2, 3, 4), None]),
        }
        await written(target, delivery(**columns))

        types = types_of(target)
        assert ["numeric", "bigint", "bigint", "integer", "smallint"] == [
            types[name] for name in ("u64", "u32", "i64", "i32", "i8")
        ]
        assert ["real", "real", "numeric", "numeric", "boolean"] == [
            types[name] for name in ("f32", "half", "d", "huge", "ok")
        ]
        expected = list(zip(*(array.to_pylist() for array in columns.values()), strict=True))
        assert expected == target.rows("rows", *columns)

    async def test_floats_are_exact(self, target: PostgresqlTarget) -> None:
        """Any 64 bits of a float come back, infinities and NaN too."""
        dice = random.Random(754)
        values = [struct.unpack("<d", dice.randbytes(8))[0] for _ in range(5000)]
        values += [math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1, math.nan]
        await written(target, delivery(x=pa.array(values)))

        got = [row[0] for row in target.rows("rows", "x")]
        assert [struct.pack("<d", x) for x in values if not math.isnan(x)] == [
            struct.pack("<d", x) for x in got if not math.isnan(x)
        ]
        assert list(map(math.isnan, values)) == list(map(math.isnan, got))

    async def test_any_text(self, target: PostgresqlTarget) -> None:
        """No text is taken for CSV, a null or the end of the data."""
        dice = random.Random(4180)
        signs = ['"', "'", ",", "\\", ".", "N", "\n", "\r", "\t", " ", "ä", "\U0001f680", "\x01"]
        values = ["".join(dice.choices(signs, k=dice.randint(0, 8))) for _ in range(3000)]
        values += ["\\.", "\\N", "a\n\\.\nb", "NULL", '""', "x" * 3_000_000]
        await written(target, delivery(text=pa.array(values)))

        assert values == [row[0] for row in target.rows("rows", "text")]

    async def test_nul(self, target: PostgresqlTarget) -> None:
        """U+0000 becomes its JSON escape, in text and within JSON; nothing else changes."""
        texts = ["a\0b\0\0", "plain", None, "\\u0000"]
        documents = ['{"k":"\\u0000\\u0000x"}', '{"k":"\\\\u0000"}', "[]", None]
        given = delivery(
            1,
            pa.field("document", pa.string(), metadata=MARKED_JSON),
            text=pa.array(texts),
            document=pa.array(documents),
            nested=pa.array([{"s": "\0"}, {"s": "\\"}, {"s": None}, None]),
        )
        await written(target, given)

        assert [
            ("a\\u0000b\\u0000\\u0000", {"k": "\\u0000\\u0000x"}, {"s": "\\u0000"}),
            ("plain", {"k": "\\u0000"}, {"s": "\\"}),
            (None, [], {"s": None}),
            ("\\u0000", None, None),
        ] == target.rows("rows", "text", "document", "nested")

    async def test_json_columns(self, target: PostgresqlTarget) -> None:
        """Lists, structs and text that is marked as JSON become `jsonb`; other text stays text."""
        document = '{"a": [1, 2.5, "\\u00e4"]}'
        await written(
            target,
            delivery(
                1,
                pa.field("marked", pa.string(), metadata=MARKED_JSON),
                plain=pa.array([document]),
                marked=pa.array([document]),
                extension=pa.array([document], pa.json_()),
                items=pa.array([["x", None]]),
                record=pa.array([{"at": datetime(2020, 7, 28, tzinfo=UTC), "n": 1}]),
            ),
        )
        types = types_of(target)
        assert "text" == types["plain"]
        assert {"jsonb"} == {types[name] for name in ("marked", "extension", "items", "record")}
        value = {"a": [1, 2.5, "ä"]}
        assert [(document, value, value, ["x", None], {"at": "2020-07-28T00:00:00Z", "n": 1})] == (
            target.rows("rows", "plain", "marked", "extension", "items", "record")
        )

    async def test_text_into_a_jsonb_column(self, target: PostgresqlTarget) -> None:
        """A table made by hand may hold JSON text as `jsonb`; text that is none is refused."""
        target.query("CREATE TABLE rows (message_id text PRIMARY KEY, payload jsonb)")
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(1, payload=pa.array(['{"n": "\\u0000"}'])))
            with pytest.raises(Fatal, match="invalid input syntax for type json") as refused:
                await consumer.consume(delivery(2, payload=pa.array(["none"])))
        assert "postgresql.data_refused" == refused.value.code
        assert [({"n": "\\u0000"},)] == target.rows("rows", "payload")

    async def test_nanoseconds_are_cut(self, target: PostgresqlTarget) -> None:
        """Times keep microseconds, which is what PostgreSQL has."""
        await written(target, delivery(at=pa.array([1_999], pa.timestamp("ns", "UTC"))))
        assert [(datetime(1970, 1, 1, 0, 0, 0, 1, UTC),)] == target.rows("rows", "at")

    async def test_unknown_type(self, target: PostgresqlTarget) -> None:
        """A type without a like is refused by name."""
        async with target.started(commit_interval="0s") as consumer:
            with pytest.raises(Fatal, match=r"column `rows\.span`") as refused:
                await consumer.consume(delivery(span=pa.array([1], pa.duration("s"))))
        assert "postgresql.type_unsupported" == refused.value.code


class TestSchema:
    async def test_is_created(self, target: PostgresqlTarget) -> None:
        """`schema` names where tables and positions go; it is created where it is missing."""
        for mark in (1, 2):
            async with target.started(schema="My Lake", commit_interval="0s") as consumer:
                await consumer.consume(delivery(mark))
        assert [("1:000000",), ("2:000000",)] == target.query(
            'SELECT message_id FROM "My Lake".rows ORDER BY 1'
        )
        assert [(2,), (2,)] == target.query('SELECT position FROM "My Lake".cdp_positions')

    async def test_dsn(self, target: PostgresqlTarget) -> None:
        """A DSN says the same as the single keys."""
        target.config = {"dsn": target.database.dsn}
        async with target.started(commit_interval="0s") as consumer:
            assert 1 == await consumer.consume(delivery())


class TestConnection:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["shutdown", "crash"])
    async def test_server_restarts_in_the_middle(
        self, target: PostgresqlTarget, how: signal.Signals
    ) -> None:
        """The server is stopped twice in a run: nothing is lost, nothing is doubled."""
        server, last, codes = target.database.server, 300, Counter[str]()
        stops = {40, 90}
        async with target.started(commit_rows=30) as consumer:
            for number, given in enumerate(deliveries(1, last, 5)):
                if number in stops:
                    server.stop(how)
                while True:
                    try:
                        await consumer.consume(given)
                        break
                    except Retry as told:
                        codes[told.code] += 1
                        if codes.total() % 2 == 0:
                            server.start()
            assert last == await consumer.flush()

        assert {"postgresql.connection_lost": 4} == codes
        assert rows_of(1, last) == rows_in(target)

    async def test_session_ended_by_an_administrator(self, target: PostgresqlTarget) -> None:
        """A lost session is opened again, also by a look at the health."""
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(1))
            end_sessions(target)
            with pytest.raises(Retry) as told:
                await consumer.consume(delivery(2))
            assert "postgresql.connection_lost" == told.value.code
            assert 2 == await consumer.consume(delivery(2))
            end_sessions(target)
            assert "degraded" == (await consumer.health()).status
            assert "healthy" == (await consumer.health()).status
            assert 3 == await consumer.consume(delivery(3))
        assert 3 == len(target.rows("rows"))

    async def test_server_came_back_with_less(self, target: PostgresqlTarget) -> None:
        """A server that lost what it had confirmed is noticed, since the host would skip it."""
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(5))
            end_sessions(target)
            target.query("UPDATE cdp_positions SET position = 2")
            with pytest.raises(Retry):
                await consumer.consume(delivery(6))
            with pytest.raises(Fatal, match="through position 5, got 2") as refused:
                await consumer.consume(delivery(6))
        assert "sql.position_lost" == refused.value.code

    async def test_deadlock(self, target: PostgresqlTarget) -> None:
        """The victim of a deadlock tries again and gets through."""
        given = delivery(1, n=pa.array([0, 0]))
        await written(target, given)
        with psycopg.connect(target.database.dsn) as other:
            # Whoever waits looks for a deadlock once: the consumer, when the other waits as well.
            other.execute("SET deadlock_timeout = '60s'")
            target.query(f"ALTER DATABASE {target.database.name} SET deadlock_timeout = '2s'")
            async with target.started(commit_interval="0s") as consumer:
                other.execute("UPDATE rows SET n = 1 WHERE message_id = '1:000001'")
                blocked = asyncio.create_task(consumer.consume(Delivery(given.batch, [2, 2], 2)))
                await asyncio.to_thread(lock_first_row_once_blocked, target, other)
                with pytest.raises(Retry) as told:
                    await blocked
                assert "postgresql.conflict" == told.value.code
                other.rollback()
                assert 2 == await consumer.consume(Delivery(given.batch, [2, 2], 2))
        assert [(0,), (0,)] == target.rows("rows", "n")

    @pytest.mark.parametrize(
        ("state", "code"),
        [
            ("53100", "postgresql.resources"),
            ("40001", "postgresql.conflict"),
            ("57014", "postgresql.conflict"),
            ("25006", "postgresql.connection_lost"),
        ],
    )
    async def test_what_may_pass(self, target: PostgresqlTarget, state: str, code: str) -> None:
        """Disk full, serialization failure, cancellation and a standby are tried again."""
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(1))
            refuse_rows(target, state)
            for _ in range(2):
                with pytest.raises(Retry) as told:
                    await consumer.consume(delivery(2))
                assert code == told.value.code
            target.query("DROP TRIGGER refusal ON rows")
            assert 2 == await consumer.consume(delivery(2))
        assert 2 == len(target.rows("rows"))

    async def test_what_will_not_pass(self, target: PostgresqlTarget) -> None:
        """A constraint that refuses a row ends the run, and nothing of the commit stays."""
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(1))
            target.query("ALTER TABLE rows ADD CHECK (n < 2)")
            with pytest.raises(Fatal, match="violates check constraint") as refused:
                await consumer.consume(delivery(2))
        assert "postgresql.data_refused" == refused.value.code
        assert {"": 1, "rows": 1} == target.positions()

    async def test_too_many_connections(self, target: PostgresqlTarget) -> None:
        """No free connection is waited for."""
        target.query("CREATE ROLE narrow LOGIN SUPERUSER PASSWORD 'x' CONNECTION LIMIT 0")
        target.query("ALTER ROLE narrow NOSUPERUSER")
        try:
            with pytest.raises(Retry, match="too many connections"):
                async with target.started(user="narrow", password="x"):
                    pass
        finally:
            target.query("DROP ROLE narrow")


class TestRefusal:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"password": "wrong-pass"}, "postgresql.authentication"),
            ({"user": "nobody-here"}, "postgresql.authentication"),
            ({"database": "nowhere"}, "postgresql.unknown_database"),
            ({"sslmode": "require"}, "postgresql.tls"),
        ],
    )
    async def test_connection(
        self, target: PostgresqlTarget, change: dict[str, Any], code: str
    ) -> None:
        """What configuration must cure ends the run, with a hint and without the password."""
        with pytest.raises(Fatal) as refused:
            async with target.started(**change):
                pass
        assert code == refused.value.code
        assert refused.value.hint
        assert_silent(refused.value, (target.config | change)["password"])

    async def test_no_password(
        self, target: PostgresqlTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that asks for a password that was not given is an authentication error."""
        monkeypatch.setenv("PGPASSFILE", "/dev/null")
        with pytest.raises(Fatal) as refused:
            async with target.started(password=None):
                pass
        assert "postgresql.authentication" == refused.value.code

    async def test_permission_denied(self, target: PostgresqlTarget) -> None:
        """A role that may not create tables is told what to be granted."""
        target.query(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
        try:
            with pytest.raises(Fatal) as refused:
                async with target.started(user="guest", password=SECRET):
                    pass
        finally:
            target.query("DROP ROLE guest")
        assert "postgresql.permission_denied" == refused.value.code
        assert "grant the role" in refused.value.hint
        assert_silent(refused.value, SECRET)

    async def test_nobody_listens(self, postgres_server: Server) -> None:
        """A server that is down is waited for, and the password is not told."""
        target = PostgresqlTarget(Database(postgres_server, "postgres"))
        with pytest.raises(Retry) as told:
            async with target.started(port=1):
                pass
        assert "postgresql.connection_lost" == told.value.code
        assert_silent(told.value, PASSWORD)


class TestSettings:
    @pytest.mark.parametrize(
        "dsn",
        [
            f"postgresql://user:{SECRET}%zz@host/db",
            f"host=h password={SECRET} bogus=1",
            SECRET,
            f"postgresql://user:{SECRET}@host:5432/db?bogus={SECRET}",
        ],
    )
    async def test_dsn_that_is_none(self, dsn: str) -> None:
        """A DSN that cannot be read is refused without being repeated."""
        with pytest.raises(ConfigInvalid, match="`dsn`: expected") as refused:
            await SaveToPostgresql().configure({"dsn": dsn})
        assert_silent(refused.value, SECRET)

    async def test_either_or(self) -> None:
        """`dsn` and the single keys exclude one another."""
        with pytest.raises(ConfigInvalid, match="got `dsn` and `host`") as refused:
            await SaveToPostgresql().configure({"dsn": f"password={SECRET}", "host": "h"})
        assert_silent(refused.value, SECRET)

    def test_secrets_are_marked(self) -> None:
        """The schema says which keys the host must mask."""
        properties = SaveToPostgresql().metadata().config_schema["properties"]
        marked = {name for name, each in properties.items() if each.get("secret")}
        assert {"dsn", "password"} == marked
        assert "schema" in properties

    async def test_repr(self) -> None:
        """Looking at the consumer's settings does not show the password."""
        consumer = SaveToPostgresql()
        await consumer.configure({"password": SECRET})
        assert SECRET not in repr(vars(consumer))


def assert_silent(error: PluginError, password: str) -> None:
    """Fail where *password* stands anywhere in what a user or a log may see of *error*."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.hint
    assert password not in shown


def rows_in(target: PostgresqlTarget) -> Counter[Row]:
    """Return what `psql` sees of the stream."""
    found: Counter[Row] = Counter()
    for table in ROWS_PER_POSITION:
        lines = target.database.psql(f"SELECT position, number FROM {table}").splitlines()
        found.update((table, int(a), int(b)) for a, b in (line.split("|") for line in lines))
    return found


def end_sessions(target: PostgresqlTarget) -> None:
    target.query(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def refuse_rows(target: PostgresqlTarget, state: str) -> None:
    """Let the server refuse new rows with the given SQLSTATE."""
    target.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"
    )
    target.query(
        "CREATE TRIGGER refusal BEFORE INSERT ON rows FOR EACH ROW EXECUTE FUNCTION refuse()"
    )


def lock_first_row_once_blocked(target: PostgresqlTarget, other: psycopg.Connection[Any]) -> None:
    """Close the circle as soon as the consumer waits for the row that *other* holds."""
    while not target.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
        pass
    other.execute("UPDATE rows SET n = 1 WHERE message_id = '1:000000'")


@pytest.mark.parametrize("port", ["xx", "0", "65536", "5432,xx"])
async def test_port_that_is_none(port: str) -> None:
    """A port that is no port is configuration, told at once and never tried again."""
    with pytest.raises(ConfigInvalid, match="`dsn`: expected a port from 1 to 65535"):
        await SaveToPostgresql().configure({"dsn": f"host=h port={port}"})
