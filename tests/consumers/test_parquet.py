"""Rows become Parquet files, a folder a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.consumers.parquet import SaveToParquet
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal, Lazy, PluginError
from tests.consumers.stream import arrow_batch, deliveries, read_rows, rows_of, table_rows

CONTEXT = Context("p", "parquet")


async def started(path: Path, context: Context = CONTEXT, **settings: Any) -> SaveToParquet:
    consumer = SaveToParquet()
    await consumer.configure({"path": str(path), **settings})
    await consumer.start(context)
    return consumer


def ledgers(first: int, last: int, mark: int | None = None) -> Delivery:
    rows = table_rows("ledgers", first, last)
    positions = [position for position, _ in rows]
    return Delivery(arrow_batch("ledgers", rows), positions, last if mark is None else mark)


def empty(mark: int) -> Delivery:
    return Delivery(Batch.empty(), (), mark)


def names(path: Path) -> list[str]:
    """Return the files below *path* without the writer's eight digits."""
    found = sorted(path.rglob("*.parquet"))
    return [file.relative_to(path).as_posix()[:-17] for file in found]


def ranges(*pairs: tuple[int, int]) -> list[str]:
    return [f"ledgers/{first:010d}-{last:010d}" for first, last in pairs]


class TestFiles:
    async def test_columns_stay_as_they_are(self, tmp_path: Path) -> None:
        """What DuckDB and pyarrow read is the record batch that came."""
        consumer = await started(tmp_path)
        delivery = ledgers(1, 3)
        await consumer.consume(delivery)

        assert 3 == await consumer.flush()

        payloads = delivery.batch.payloads
        assert isinstance(payloads, ArrowPayloads)
        (file,) = tmp_path.glob("ledgers/*.parquet")
        assert pa.table(payloads.record_batch) == pq.ParquetFile(file).read()
        query = "SELECT DISTINCT typeof(closed_at) FROM read_parquet(?)"
        with duckdb.connect() as connection:
            kinds = connection.execute(query, [str(file)]).fetchall()
        assert [("TIMESTAMP WITH TIME ZONE",)] == kinds

    async def test_no_row_is_looked_at(self, tmp_path: Path) -> None:
        """Arrow rows reach their file without JSON and without reading a message's columns."""

        def never(*_: object) -> Any:
            raise AssertionError("a column was read")

        payloads = ArrowPayloads(pa.record_batch({"x": [1, 2]}), never)
        lazy: Lazy[Any] = Lazy(2, never)
        consumer = await started(tmp_path)
        batch = Batch(types="t", payloads=payloads, ids=lazy, metadata=lazy, trace_ids=lazy)
        await consumer.consume(Delivery(batch, [1, 2], 2))

        assert 2 == await consumer.flush()

    async def test_position_that_is_not_whole_is_held_back(self, tmp_path: Path) -> None:
        """Rows beyond the mark are in no file and not reported, even on `flush`."""
        consumer = await started(tmp_path)
        await consumer.consume(ledgers(1, 5, mark=3))

        assert 3 == await consumer.flush()
        assert ranges((1, 3)) == names(tmp_path)
        await consumer.consume(ledgers(5, 5, mark=5))
        assert 5 == await consumer.flush()
        assert ranges((1, 3), (4, 5)) == names(tmp_path)
        assert 2 == read_rows(tmp_path)["ledgers", 5, 0]

    async def test_plain_json(self, tmp_path: Path) -> None:
        """Undeclared JSON is kept as text; declared JSON as columns, with the id if asked."""
        schemas = {"typed": {"type": "object", "properties": {"a": {"type": "integer"}}}}
        consumer = await started(tmp_path, Context("p", "s", "", schemas), message_id=True)
        batch = Batch.of("x", [{"a": 1}, {"a": 2}], ids=["i", "j"])

        await consumer.consume(Delivery(batch.replace(types=["typed", "plain"]), [1, 1], 1))
        await consumer.flush()

        (typed,), (plain,) = tmp_path.glob("typed/*"), tmp_path.glob("plain/*")
        assert [{"message_id": "i", "a": 1}] == pq.ParquetFile(typed).read().to_pylist()
        assert ['{"a":2}'] == pq.ParquetFile(plain).read()["payload"].to_pylist()

    async def test_chosen_tables(self, tmp_path: Path) -> None:
        """Types that are not asked for are left out, and hold nothing back."""
        consumer = await started(tmp_path, tables=["rare"])
        for delivery in deliveries(1, 80):
            await consumer.consume(delivery)

        assert 80 == await consumer.flush()
        assert ["rare/0000000037-0000000080"] == names(tmp_path)

    async def test_tiny_deliveries(self, tmp_path: Path) -> None:
        """Hundreds of one-row deliveries become one file, in order."""
        consumer = await started(tmp_path)
        for position in range(1, 301):
            await consumer.consume(ledgers(position, position))
        await consumer.flush()

        (file,) = tmp_path.glob("ledgers/*.parquet")
        assert list(range(1, 301)) == pq.ParquetFile(file).read()["position"].to_pylist()


class TestRotation:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    async def test_by_rows_and_positions_does_not_depend_on_deliveries(
        self, tmp_path: Path, seed: int
    ) -> None:
        """Files are the same however the stream is cut: whole positions, ends at multiples."""
        consumer = await started(tmp_path, max_rows=10, max_positions=16)
        for delivery in deliveries(1, 40, seed):
            await consumer.consume(delivery)
        await consumer.flush()

        expected = ranges((1, 10), (11, 15), (16, 25), (26, 31), (32, 40))
        assert expected == [name for name in names(tmp_path) if name.startswith("ledgers")]
        assert rows_of(1, 40) == read_rows(tmp_path)

    async def test_by_bytes(self, tmp_path: Path) -> None:
        """A table that takes too much memory becomes a file."""
        consumer = await started(tmp_path, max_bytes=2 * 10 * 3 * 8)

        reported = [await consumer.consume(ledgers(first, first + 9)) for first in (1, 11, 21)]

        assert [None, 20, 20] == reported
        assert ranges((1, 20)) == names(tmp_path)

    async def test_by_age(self, tmp_path: Path) -> None:
        """A row waits no longer than `max_age` once another delivery comes."""
        now = 0.0
        consumer = await started(tmp_path, max_age="10m")
        consumer.clock = lambda: now
        await consumer.stop()
        await consumer.start(CONTEXT)

        assert await consumer.consume(ledgers(1, 2)) is None
        now = 599.0
        assert 0 == await consumer.consume(empty(3))
        now = 600.0
        assert 4 == await consumer.consume(empty(4))
        assert ranges((1, 4)) == names(tmp_path)

    async def test_one_position_with_more_rows_than_a_file(self, tmp_path: Path) -> None:
        """A position is never split: its file has more rows then."""
        consumer = await started(tmp_path, max_rows=2)
        rows = [(1, 0), (2, 0), (2, 1), (2, 2), (3, 0)]
        positions = [position for position, _ in rows]

        await consumer.consume(Delivery(arrow_batch("ledgers", rows), positions, 3))
        await consumer.flush()

        assert ranges((1, 1), (2, 2), (3, 3)) == names(tmp_path)


class TestPartitions:
    async def test_by_range(self, tmp_path: Path) -> None:
        """A folder spans a range of positions, and a file lies in one."""
        consumer = await started(tmp_path, partition_by={"ledger_range": 16})
        await consumer.consume(ledgers(10, 33))
        await consumer.flush()

        assert [
            "ledgers/range=0-15/0000000010-0000000015",
            "ledgers/range=16-31/0000000016-0000000031",
            "ledgers/range=32-47/0000000032-0000000033",
        ] == names(tmp_path)

    async def test_by_date(self, tmp_path: Path) -> None:
        """A folder holds a day (UTC), under the name Hive readers turn into a column."""
        consumer = await started(tmp_path, partition_by={"date": "closed_at"})
        await consumer.consume(ledgers(238, 241))
        await consumer.flush()

        query = f"""SELECT closed_date::VARCHAR, count(*) FROM
            read_parquet('{tmp_path}/ledgers/*/*.parquet', hive_partitioning = true)
            GROUP BY 1 ORDER BY 1"""
        with duckdb.connect() as connection:
            days = connection.execute(query).fetchall()
        assert [("2020-07-28", 2), ("2020-07-29", 2)] == days

    async def test_row_without_a_date(self, tmp_path: Path) -> None:
        """A null time goes where Hive puts it."""
        consumer = await started(tmp_path, partition_by={"date": "seen_at"})
        rows = pa.record_batch({"seen_at": pa.array([None, 0], pa.timestamp("us", "UTC"))})
        await consumer.consume(Delivery(Batch(types="t", payloads=ArrowPayloads(rows)), [1, 1], 1))
        await consumer.flush()

        folders = sorted(path.name for path in (tmp_path / "t").iterdir())
        assert ["seen_date=1970-01-01", "seen_date=__HIVE_DEFAULT_PARTITION__"] == folders

    async def test_table_without_the_column(self, tmp_path: Path) -> None:
        """A table that has no such time column is refused by name."""
        consumer = await started(tmp_path, partition_by={"date": "number"})

        with pytest.raises(Fatal, match="table `ledgers`: expected a timestamp column `number`"):
            await consumer.consume(ledgers(1, 1))

    async def test_changed_rule(self, tmp_path: Path) -> None:
        """Another rule is refused while files reach beyond the marker, else taken."""
        consumer = await started(tmp_path, max_rows=1)
        await consumer.consume(Delivery(arrow_batch("rare", [(1, 0)]), [1], 0))
        await consumer.consume(ledgers(1, 3))
        await consumer.stop()
        other = {"partition_by": {"ledger_range": 16}}

        assert ranges((1, 1), (2, 2)) == names(tmp_path)[:2]
        await (await started(tmp_path)).stop()
        marker = next(tmp_path.glob("_cdp/*.json"))
        marker.write_text(marker.read_text().replace('through":2', 'through":0'))
        with pytest.raises(Fatal, match="expected `none` as before, got `ledger_range 16`"):
            await started(tmp_path, **other)
        marker.write_text(marker.read_text().replace('through":0', 'through":2'))
        await started(tmp_path, **other)


class TestDurable:
    async def test_dropped_rows_advance(self, tmp_path: Path) -> None:
        """A run that drops every row reports its mark, and a restart knows it."""
        consumer = await started(tmp_path)
        assert -1 == await consumer.durable_position()
        for mark in range(10):
            await consumer.consume(empty(mark))

        assert 9 == await consumer.flush()
        assert 9 == await (await started(tmp_path)).durable_position()

    async def test_reported_only_once_stored(self, tmp_path: Path) -> None:
        """Whatever `consume` reports is what a crash right after finds."""
        consumer = await started(tmp_path, max_rows=7)
        for delivery in deliveries(1, 120, seed=5):
            reported = await consumer.consume(delivery)
            found = await (await started(tmp_path)).durable_position()
            assert (-1 if reported is None else reported) == found

    async def test_table_ahead_of_the_others(self, tmp_path: Path) -> None:
        """A table whose files reach further leaves out its own rows only."""
        consumer = await started(tmp_path, max_rows=3)
        rare = Delivery(arrow_batch("rare", [(1, 0)]), [1], 0)
        await consumer.consume(rare)
        assert 0 == await consumer.consume(ledgers(1, 7))
        await consumer.stop()

        again = await started(tmp_path)
        await again.consume(rare)
        await again.consume(ledgers(1, 8))
        await again.flush()

        assert ranges((1, 3), (4, 6), (7, 8)) == names(tmp_path)[:3]
        assert 1 == read_rows(tmp_path)["rare", 1, 0]

    async def test_two_writers_share_a_folder(self, tmp_path: Path) -> None:
        """One pipeline's files say nothing of another's, and `forget` leaves them alone."""
        later, earlier = Context("later", "s"), Context("earlier", "s")
        first = await started(tmp_path, later)
        await first.consume(ledgers(101, 110))
        await first.flush()
        second = await started(tmp_path, earlier)
        await second.consume(ledgers(1, 10))
        await second.flush()

        assert ranges((1, 10), (101, 110)) == names(tmp_path)
        assert 2 == len(await second.forget(earlier))
        assert ranges((101, 110)) == names(tmp_path)
        assert 110 == await (await started(tmp_path, later)).durable_position()


class TestForget:
    async def test_deletes_what_it_wrote(self, tmp_path: Path) -> None:
        """Own files, half-written ones and the position go; anything else stays."""
        consumer = await started(tmp_path)
        await consumer.consume(ledgers(1, 3))
        await consumer.flush()
        await consumer.stop()
        (file,) = tmp_path.glob("ledgers/*.parquet")
        file.with_name(f".{file.name}.tmp").write_bytes(b"half")
        strange = file.with_name("0000000001-0000000003.parquet")
        strange.write_bytes(b"somebody else's")

        done = await consumer.forget(CONTEXT)

        assert [f"deleted 1 files of table `ledgers` in `{tmp_path}`"] == list(done)[:1]
        assert [strange] == [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [] == await consumer.forget(CONTEXT)


class TestSchemaChange:
    async def test_between_positions_begins_a_file(self, tmp_path: Path) -> None:
        """A new shape goes on in a new file; both are whole."""
        consumer = await started(tmp_path)
        await consumer.consume(ledgers(1, 2))
        wider = pa.record_batch({"position": [3], "number": [0], "more": ["x"]})
        batch = Batch(types="ledgers", payloads=ArrowPayloads(wider))
        await consumer.consume(Delivery(batch, [3], 3))

        assert 3 == await consumer.flush()
        assert ranges((1, 2), (3, 3)) == names(tmp_path)

    async def test_within_a_position_is_refused(self, tmp_path: Path) -> None:
        """Two shapes of one position fit no file: an error, and what was taken stays."""
        consumer = await started(tmp_path)
        await consumer.consume(ledgers(1, 2, mark=1))
        batch = Batch(types="ledgers", payloads=ArrowPayloads(pa.record_batch({"x": [1]})))

        with pytest.raises(PluginError, match="type `ledgers` changed") as caught:
            await consumer.consume(Delivery(batch, [2], 2))

        assert "table.schema_changed" == caught.value.code
        await consumer.consume(empty(2))
        assert 2 == await consumer.flush()
        assert rows_of(1, 2)["ledgers", 2, 0] == read_rows(tmp_path)["ledgers", 2, 0]


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({}, "`path`"),
            ({"path": "https://host/x"}, "`path`: expected a folder"),
            ({"path": "ftp://host/x"}, "`path`"),
            ({"path": "out", "partition_by": {"ledger_range": 5, "date": "at"}}, "either"),
            ({"path": "out", "max_rows": 0}, "`max_rows`"),
            ({"path": "out", "max_bytes": "0"}, "`max_bytes`"),
            ({"path": "out", "compression": "rar"}, "`compression`"),
        ],
    )
    async def test_refused(self, settings: dict[str, Any], words: str) -> None:
        """A wrong setting is named before anything is opened."""
        with pytest.raises(ConfigInvalid, match=words):
            await SaveToParquet().configure(settings)

    def test_metadata_needs_nothing(self) -> None:
        """Every setting is described in the schema."""
        schema = SaveToParquet().metadata().config_schema

        assert all("description" in each for each in schema["properties"].values())


class TestOtherWriter:
    OTHER = Context("q", "parquet")

    async def test_same_positions_are_refused(self, tmp_path: Path) -> None:
        """Rows of positions that another pipeline's files hold are not stored a second time."""
        first = await started(tmp_path)
        await first.consume(ledgers(1, 10))
        await first.flush()
        second = await started(tmp_path, self.OTHER)

        with pytest.raises(Fatal, match="positions 10 to 12 of one writer") as raised:
            await second.consume(ledgers(10, 12))

        assert "parquet.range_taken" == raised.value.code
        assert ranges((1, 10)) == names(tmp_path)

    async def test_disjoint_positions_share_a_folder(self, tmp_path: Path) -> None:
        """Pipelines with ranges of their own write to one folder, before, between and after."""
        first = await started(tmp_path)
        for span in ((11, 20), (41, 50)):
            await first.consume(ledgers(*span))
            await first.flush()
        second = await started(tmp_path, self.OTHER)
        for span in ((1, 10), (21, 40), (51, 60)):
            await second.consume(ledgers(*span))
            await second.flush()

        expected = ranges((1, 10), (11, 20), (21, 40), (41, 50), (51, 60))
        assert expected == names(tmp_path)
        assert 60 == await (await started(tmp_path, self.OTHER)).durable_position()

    async def test_two_at_the_same_time(self, tmp_path: Path) -> None:
        """A writer looks again before it publishes: the other one may have begun after it."""
        first, second = await started(tmp_path), await started(tmp_path, self.OTHER)
        await first.consume(ledgers(1, 10))
        await second.consume(ledgers(1, 10))
        await first.flush()

        with pytest.raises(Fatal, match="another one's file"):
            await second.flush()
        assert ranges((1, 10)) == names(tmp_path)

    async def test_doubled_files_are_told_at_the_start(self, tmp_path: Path) -> None:
        """A folder that holds rows twice already is an error, not a result."""
        first = await started(tmp_path)
        await first.consume(ledgers(1, 10))
        await first.flush()
        (file,) = tmp_path.glob("ledgers/*.parquet")
        file.with_name("0000000005-0000000008-00000000.parquet").write_bytes(file.read_bytes())

        with pytest.raises(Fatal, match="another one's file"):
            await started(tmp_path)
