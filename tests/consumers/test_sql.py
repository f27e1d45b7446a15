"""The rules that both SQL consumers keep."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.consumers.sql import SqlConsumer
from cdp_pipeline.connectors.tables import NameTaken
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal, Retry
from tests.consumers.conftest import SqlTarget
from tests.consumers.stream import ROWS_PER_POSITION, Row, deliveries, rows_of

WRITER = Path(__file__).with_name("sql_writer.py")


def typed(
    positions: list[int],
    mark: int,
    *,
    table: str = "ledgers",
    ids: list[str] | None = None,
    **columns: pa.Array,
) -> Delivery:
    """A delivery of Arrow rows, one a position, with the column `sequence` and *columns*."""
    rows = pa.record_batch({"sequence": pa.array(positions, pa.int64()), **columns})
    ids = [f"net:{position}" for position in positions] if ids is None else ids
    return Delivery(Batch(types=table, payloads=ArrowPayloads(rows), ids=ids), positions, mark)


async def persistent(consumer: SqlConsumer, given: Delivery) -> None:
    """Hand over a delivery as the engine does: again after each `Retry`."""
    while True:
        try:
            await consumer.consume(given)
            return
        except Retry:
            continue


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class TestCommit:
    async def test_by_rows(self, sql_target: SqlTarget) -> None:
        """Rows of several deliveries are committed together once `commit_rows` wait."""
        async with sql_target.started(commit_rows=3, commit_interval="1h") as consumer:
            assert await consumer.durable_position() == -1
            assert await consumer.consume(typed([1], 1)) is None
            assert await consumer.consume(typed([2], 2)) is None
            assert await consumer.consume(typed([3], 3)) == 3
            assert await consumer.consume(typed([4], 4)) is None

        assert sql_target.rows("ledgers") == [("net:1", 1), ("net:2", 2), ("net:3", 3)]
        assert sql_target.positions() == {"": 3, "ledgers": 3}

    async def test_by_bytes(self, sql_target: SqlTarget) -> None:
        """A delivery that is large enough is committed at once."""
        async with sql_target.started(commit_bytes="1KB", commit_interval="1h") as consumer:
            assert await consumer.consume(typed([1], 1)) is None
            long = pa.array(["x" * 2000])
            assert await consumer.consume(typed([2], 2, text=long)) == 2

        assert sql_target.rows("ledgers", "message_id", "length(text)") == [
            ("net:1", None),
            ("net:2", 2000),
        ]

    async def test_by_time(self, sql_target: SqlTarget) -> None:
        """Rows are committed with the first delivery after `commit_interval`."""
        clock = Clock()
        async with sql_target.started(clock=clock, commit_interval="2s") as consumer:
            assert await consumer.consume(typed([1], 1)) is None
            clock.now_s += 1.9
            assert await consumer.consume(typed([2], 2)) is None
            clock.now_s += 0.2
            assert await consumer.consume(typed([3], 3)) == 3
            assert await consumer.consume(typed([4], 4)) is None

    async def test_flush(self, sql_target: SqlTarget) -> None:
        """`flush` commits whatever waits, and says through where everything is durable."""
        async with sql_target.started(commit_interval="1h") as consumer:
            assert await consumer.flush() is None
            assert await consumer.consume(typed([1, 2], 2)) is None
            assert await consumer.flush() == 2
            assert await consumer.flush() == 2
            assert await consumer.durable_position() == 2

    async def test_mark_alone(self, sql_target: SqlTarget) -> None:
        """A stream whose rows were all dropped still has a durable position."""
        async with sql_target.started(commit_interval="0s") as consumer:
            assert await consumer.consume(Delivery(Batch.empty(), (), 7)) == 7

        async with sql_target.started() as consumer:
            assert await consumer.durable_position() == 7
        assert sql_target.positions() == {"": 7}

    async def test_split_position(self, sql_target: SqlTarget) -> None:
        """Rows of half a position may be there early, but its position is stored when whole."""
        async with sql_target.started(commit_interval="0s") as consumer:
            assert await consumer.consume(typed([5, 5], 4, ids=["a", "b"])) == 4
        assert len(sql_target.rows("ledgers")) == 2

        async with sql_target.started(commit_interval="0s") as consumer:
            assert await consumer.durable_position() == 4
            assert await consumer.consume(typed([5, 5, 5], 5, ids=["a", "b", "c"])) == 5
        assert [row[0] for row in sql_target.rows("ledgers")] == ["a", "b", "c"]


class TestReplay:
    async def test_rows_at_or_before_the_position_are_left_out(self, sql_target: SqlTarget) -> None:
        """After a restart, rows that are held already are not written again."""
        async with sql_target.started() as consumer:
            await consumer.consume(typed([1, 2, 3], 3))
            await consumer.flush()
        sql_target.query("UPDATE ledgers SET sequence = 0")

        async with sql_target.started(commit_interval="0s") as consumer:
            assert await consumer.durable_position() == 3
            assert await consumer.consume(typed([1, 2], 2)) == 3
            assert await consumer.consume(typed([2, 3, 4], 4)) == 4

        assert [row[1] for row in sql_target.rows("ledgers")] == [0, 0, 0, 4]

    async def test_stages_and_pipelines_do_not_share_positions(self, sql_target: SqlTarget) -> None:
        """A position belongs to one stage of one pipeline."""
        async with sql_target.started(Context("one", "sink")) as consumer:
            await consumer.consume(typed([1], 1))
            await consumer.flush()

        for context in (Context("two", "sink"), Context("one", "other")):
            async with sql_target.started(context) as consumer:
                assert await consumer.durable_position() == -1

    async def test_one_id_twice(self, sql_target: SqlTarget) -> None:
        """Of several rows with one message id the last one counts, within a commit and later."""
        async with sql_target.started(commit_interval="1h") as consumer:
            await consumer.consume(typed([1, 2], 2, ids=["a", "a"]))
            await consumer.consume(typed([3, 4], 4, ids=["b", "a"]))
            await consumer.flush()
            assert sql_target.rows("ledgers") == [("a", 4), ("b", 3)]
            await consumer.consume(typed([5], 5, ids=["b"]))
            await consumer.flush()

        assert sql_target.rows("ledgers") == [("a", 4), ("b", 5)]

    async def test_forget(self, sql_target: SqlTarget) -> None:
        """`forget` deletes the position and keeps the rows, which a replay replaces."""
        async with sql_target.started() as consumer:
            await consumer.consume(typed([1, 2], 2))
            await consumer.flush()

        consumer = sql_target.consumer()
        await consumer.configure(sql_target.config)
        (told,) = await consumer.forget(Context("pipeline", "sink"))
        assert "forgot position 2" in told
        assert "`ledgers`" in told
        (told,) = await consumer.forget(Context("pipeline", "sink"))
        assert "no position was stored" in told

        async with sql_target.started(commit_interval="0s") as consumer:
            assert await consumer.durable_position() == -1
            assert await consumer.consume(typed([1, 2], 2)) == 2
        assert sql_target.rows("ledgers") == [("net:1", 1), ("net:2", 2)]

    async def test_table_gone(self, sql_target: SqlTarget) -> None:
        """A table that was dropped is not silently begun anew in the middle."""
        async with sql_target.started() as consumer:
            await consumer.consume(typed([1, 2], 2))
            await consumer.flush()
        sql_target.query("DROP TABLE ledgers")

        with pytest.raises(Fatal, match=r"table `ledgers`.*is gone.*position 2") as refused:
            async with sql_target.started():
                pass
        assert refused.value.code == "sql.table_missing"
        assert "flowctl checkpoint reset" in refused.value.hint


class TestTables:
    async def test_one_per_type(self, sql_target: SqlTarget) -> None:
        """A delivery of several types goes to several tables, named by `tables` or by the type."""
        batch = Batch(
            types=["Ledger", "a b", "Ledger"],
            payloads=Batch.of("", [{"n": 1}, {"n": 2}, {"n": 3}]).payloads,
            ids=["1", "2", "3"],
            metadata=[{"k": "v"}, {}, {}],
        )
        async with sql_target.started(tables={"Ledger": "my ledgers"}) as consumer:
            await consumer.consume(Delivery(batch, [1, 2, 3], 3))
            await consumer.flush()

        columns = ("message_id", "id", "type", "payload", "metadata")
        assert sql_target.rows("my ledgers", *columns) == [
            ("1", "1", "Ledger", '{"n":1}', '{"k":"v"}'),
            ("3", "3", "Ledger", '{"n":3}', "{}"),
        ]
        (other,) = sorted(sql_target.positions().keys() - {"", "my ledgers"})
        assert sql_target.rows(other, *columns) == [("2", "2", "a b", '{"n":2}', "{}")]

    async def test_declared_schema(self, sql_target: SqlTarget) -> None:
        """Plugin JSON becomes the columns that its declared schema names."""
        schema = {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "x": {"type": "number"},
                "ok": {"type": "boolean"},
                "tags": {"type": "array"},
            },
        }
        context = Context("pipeline", "sink", schemas={"T": schema})
        batch = Batch.of("T", [{"n": 2**63 - 1, "x": 0.1, "ok": True, "tags": [1]}, {}], ids="ab")
        async with sql_target.started(context) as consumer:
            await consumer.consume(Delivery(batch, [1, 1], 1))
            await consumer.flush()

        assert (sql_target.rows("T", "message_id", "n", "x", "ok", "tags")) == [
            ("a", 2**63 - 1, 0.1, True, "[1]"),
            ("b", None, None, None, None),
        ]

    async def test_a_type_grows(self, sql_target: SqlTarget) -> None:
        """A new column is added to the table, also in mid-commit; older rows have null there."""
        async with sql_target.started(commit_interval="1h") as consumer:
            await consumer.consume(typed([1], 1))
            await consumer.flush()
            await consumer.consume(typed([2], 2))
            await consumer.consume(typed([3], 3, note=pa.array(["new"])))
            await consumer.consume(typed([4], 4))
            await consumer.flush()
            await consumer.consume(typed([1], 5, other=pa.array([1.5])))

        async with sql_target.started(commit_interval="0s") as consumer:
            await consumer.consume(typed([5], 5, other=pa.array([1.5])))
        assert sql_target.rows("ledgers") == [
            ("net:1", 1, None, None),
            ("net:2", 2, None, None),
            ("net:3", 3, "new", None),
            ("net:4", 4, None, None),
            ("net:5", 5, None, 1.5),
        ]

    async def test_narrow_into_wide(self, sql_target: SqlTarget) -> None:
        """A wider column takes what is narrower, though both come between two commits."""
        async with sql_target.started(commit_interval="1h") as consumer:
            await consumer.consume(typed([1], 1, n=pa.array([1], pa.int64())))
            await consumer.consume(typed([2], 2, n=pa.array([2], pa.int32())))
            assert await consumer.flush() == 2
        assert [row[2] for row in sql_target.rows("ledgers")] == [1, 2]

    @pytest.mark.parametrize("between", ["one run", "two runs"])
    async def test_another_type(self, sql_target: SqlTarget, between: str) -> None:
        """A column whose type does not fit is named, with both types, and nothing is written."""
        async with sql_target.started(commit_interval="1h") as consumer:
            await consumer.consume(typed([1], 1, n=pa.array([1])))
            if between == "two runs":
                await consumer.flush()
        async with sql_target.started(commit_interval="0s") as consumer:
            if between == "one run":
                await consumer.consume(typed([1], 1, n=pa.array([1])))
            with pytest.raises(Fatal) as refused:
                await consumer.consume(typed([2], 2, n=pa.array(["text"])))

        assert refused.value.code == "sql.column_mismatch"
        words = {"duckdb": ("BIGINT", "VARCHAR"), "postgresql": ("bigint", "text")}
        expected, got = words[sql_target.name]
        assert (
            f"column `ledgers.n`: expected `{expected}` as in the table, got `{got}`"
            == refused.value.message
        )
        assert sql_target.rows("ledgers") == [("net:1", 1, 1)]
        assert sql_target.positions()[""] == 1

    async def test_foreign_table_without_key(self, sql_target: SqlTarget) -> None:
        """A table without the key is refused: a replay would double its rows."""
        async with sql_target.started():
            pass
        sql_target.query("CREATE TABLE ledgers (message_id VARCHAR, sequence BIGINT)")
        async with sql_target.started(commit_interval="0s") as consumer:
            with pytest.raises(Fatal, match="expected `message_id` as a primary key") as refused:
                await consumer.consume(typed([1], 1))
        assert refused.value.code == "sql.key_missing"

    async def test_foreign_table_with_more_columns(self, sql_target: SqlTarget) -> None:
        """A table made by hand keeps its own columns, and a unique column serves as key."""
        async with sql_target.started():
            pass
        sql_target.query(
            "CREATE TABLE ledgers (extra INTEGER DEFAULT 7, sequence BIGINT, "
            "message_id VARCHAR UNIQUE)"
        )
        async with sql_target.started(commit_interval="0s") as consumer:
            await consumer.consume(typed([1], 1))
            await consumer.consume(typed([1], 2))
        assert sql_target.rows("ledgers") == [(7, 1, "net:1")]

    async def test_row_without_id(self, sql_target: SqlTarget) -> None:
        """Rows without ids would swallow one another, so they are refused."""
        async with sql_target.started() as consumer:
            with pytest.raises(Fatal) as refused:
                await consumer.consume(typed([1], 1, ids=[""]))
        assert refused.value.code == "sql.message_id_missing"

    async def test_names_are_quoted(self, sql_target: SqlTarget) -> None:
        """Any text is a table's or a column's name, and none is read as SQL."""
        odd = 'x"; DROP TABLE cdp_positions; --%s {}'
        rows = pa.record_batch({odd: pa.array([1])})
        batch = Batch(types="T", payloads=ArrowPayloads(rows), ids=["a"])
        async with sql_target.started(tables={"T": odd}, commit_interval="0s") as consumer:
            assert await consumer.consume(Delivery(batch, [1], 1)) == 1
            assert await consumer.consume(Delivery(batch, [2], 2)) == 2
        assert {"": 2, odd: 2} == sql_target.positions()

    async def test_names_that_collide(self, sql_target: SqlTarget) -> None:
        """Two types never share a table, nor does one take that of the positions."""
        async with sql_target.started(tables={"a": "ledgers"}) as consumer:
            await consumer.consume(typed([1], 1, table="a"))
            with pytest.raises(NameTaken):
                await consumer.consume(typed([1], 1, table="Ledgers"))
            with pytest.raises(NameTaken):
                await consumer.consume(typed([1], 1, table="cdp_positions"))
        for tables in ({"a": "x", "b": "X"}, {"a": "CDP_Positions"}, {"a": ""}, {"a": "ä" * 32}):
            with pytest.raises(ConfigInvalid, match="`tables`"):
                await sql_target.consumer().configure(sql_target.config | {"tables": tables})


class TestSideBySide:
    async def test_two_stages_at_once(self, sql_target: SqlTarget) -> None:
        """Stages of one process share a database, each with its own position, on one table too."""
        async with (
            sql_target.started(Context("p", "one"), commit_interval="0s") as one,
            sql_target.started(Context("p", "two"), commit_interval="0s") as two,
        ):
            for mark in range(1, 20):
                ids = [f"{mark}:{row}" for row in range(5)]
                given = typed([mark] * 5, mark, ids=ids)
                await asyncio.gather(persistent(one, given), persistent(two, given))

        assert 95 == len(sql_target.rows("ledgers"))
        found = sql_target.query("SELECT stage, table_name, position FROM cdp_positions")
        assert {(s, t, 19) for s in ("one", "two") for t in ("", "ledgers")} == set(found)

    async def test_two_start_at_once(self, sql_target: SqlTarget) -> None:
        """Two that find an empty database make its tables without getting in each other's way."""
        consumers = [sql_target.consumer() for _ in range(4)]
        for consumer in consumers:
            await consumer.configure(sql_target.config)
        await asyncio.gather(
            *(each.start(Context("p", str(number))) for number, each in enumerate(consumers))
        )
        assert [-1] * 4 == [await each.durable_position() for each in consumers]
        await asyncio.gather(*(each.stop() for each in consumers))

    async def test_cancelled(self, sql_target: SqlTarget) -> None:
        """A call that was cancelled ends before the next one begins, and leaves all in order."""
        async with sql_target.started(commit_interval="0s") as consumer:
            await consumer.consume(typed([1], 1))
            given = typed(list(range(2, 2000)), 1999)
            cancelled = asyncio.create_task(consumer.consume(given))
            await asyncio.sleep(0)
            cancelled.cancel()
            assert 1999 == await consumer.consume(given)
        assert 1999 == len(sql_target.rows("ledgers"))


class TestFailure:
    async def test_nothing_of_a_refused_delivery_stays(self, sql_target: SqlTarget) -> None:
        """After an error the host may hand over something else: only that is written."""
        async with sql_target.started(commit_interval="1h") as consumer:
            await consumer.consume(typed([1], 1))
            with pytest.raises(Fatal):
                await consumer.consume(typed([2], 2, ids=[""]))
            await consumer.consume(typed([3], 3))
            assert await consumer.flush() == 3
        assert sql_target.rows("ledgers") == [("net:1", 1), ("net:3", 3)]

    async def test_health(self, sql_target: SqlTarget) -> None:
        """The database is asked; a consumer that was not started is not healthy."""
        assert (await sql_target.consumer().health()).status == "unhealthy"
        async with sql_target.started(commit_interval="0s") as consumer:
            await consumer.consume(typed([1], 1))
            health = await consumer.health()
        assert health.status == "healthy"
        assert health.details == {"durable_position": 1}

    async def test_metadata(self, sql_target: SqlTarget) -> None:
        """Its settings are a JSON Schema in which every key is described."""
        metadata = sql_target.consumer().metadata()
        assert f"save-to-{sql_target.name}" == metadata.name
        assert metadata.type == "consumer"
        properties: dict[str, Any] = metadata.config_schema["properties"]
        assert all(each.get("description") for each in properties.values())


class TestSigkill:
    def test_rows_equal_those_of_an_undisturbed_run(self, sql_target: SqlTarget) -> None:
        """Ten SIGKILLs at seeded moments, replayed with other cuts, lose and double nothing."""
        kill_and_compare(sql_target, kills=10, seed=20200728)

    async def test_all_columns(self, sql_target: SqlTarget) -> None:
        """The killed and resumed tables are, in every column, those of one undisturbed run."""
        last, config = 120, sql_target.config | {"commit_rows": 25}
        _start_and_kill(sql_target.name, config, last, 1, 90)
        _end(_start(sql_target.name, config, last, 2, 5))
        killed = {table: sql_target.rows(table, *COLUMNS) for table in ROWS_PER_POSITION}

        for table in ROWS_PER_POSITION:
            sql_target.query(f"DROP TABLE {table}")
        async with sql_target.started(Context("undisturbed", "sink")) as consumer:
            for delivery in deliveries(1, last, 3):
                await consumer.consume(delivery)
            await consumer.flush()
        undisturbed = {table: sql_target.rows(table, *COLUMNS) for table in ROWS_PER_POSITION}

        assert undisturbed == killed


def kill_and_compare(target: SqlTarget, *, kills: int, seed: int) -> None:
    """Kill a writer again and again, let the last one end, and expect every row once."""
    last, dice = 60 * kills, random.Random(seed)
    config = target.config | {"commit_rows": 40}
    for kill in range(kills):
        _start_and_kill(target.name, config, last, kill, dice.randint(1, 120))
    _end(_start(target.name, config, last, kills, 17))

    assert rows_of(1, last) == _rows_in(target)
    assert {"": last, **dict.fromkeys(ROWS_PER_POSITION, last)} == target.positions()


COLUMNS = ("message_id", "position", "number", "CAST(closed_at AS VARCHAR)")


def _rows_in(target: SqlTarget) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for table in ROWS_PER_POSITION:
        found.update((table, *row) for row in target.rows(table, "position", "number"))
    return found


def _start(
    name: str, config: dict[str, Any], last: int, seed: int, most: int
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(WRITER), name, str(last), str(seed), str(most)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(config))
    process.stdin.close()
    process.stdin = None
    return process


def _start_and_kill(
    name: str, config: dict[str, Any], last: int, seed: int, after_lines: int
) -> None:
    with _start(name, config, last, seed, most=3 + 2 * (seed % 5)) as process:
        assert process.stdout is not None
        for _ in range(after_lines):
            assert process.stdout.readline(), "the writer ended before it could be killed"
        process.kill()
    assert process.returncode == -9


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=120)
    assert process.returncode == 0
