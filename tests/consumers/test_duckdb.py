"""What only `save-to-duckdb` has to keep; the rest is in `test_sql`."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.consumers.duckdb import SaveToDuckdb
from cdpplugin import Batch, ConfigInvalid, Context, Delivery, Fatal, Retry
from tests.consumers.conftest import DuckdbTarget

HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def target(tmp_path: Path) -> DuckdbTarget:
    return DuckdbTarget(tmp_path / "new folder" / "rows.duckdb")


def delivery(mark: int = 1, rows: int = 1, **columns: pa.Array) -> Delivery:
    """Rows `0`, `1`, ... of one position."""
    record_batch = pa.record_batch(columns or {"n": pa.array(range(rows))})
    ids = [f"{mark}:{row}" for row in range(record_batch.num_rows)]
    batch = Batch(types="rows", payloads=ArrowPayloads(record_batch), ids=ids)
    return Delivery(batch, [mark] * len(ids), mark)


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """A disk on which no file grows beyond *size_bytes*."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def powerless(folder: Path) -> Iterator[None]:
    """A user who may not write in *folder*."""
    folder.mkdir()
    if os.geteuid() == 0:
        os.seteuid(65534)
        restore = lambda: os.seteuid(0)  # noqa: E731
    else:
        folder.chmod(0o500)
        restore = lambda: folder.chmod(0o700)  # noqa: E731
    try:
        yield
    finally:
        restore()


class TestCreation:
    async def test_a_crash_while_the_file_is_made_leaves_no_broken_file(
        self, target: DuckdbTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file appears whole or not at all, and what a crash left is made anew."""
        connect = duckdb.connect
        made: list[Path] = []

        def torn(path: str) -> duckdb.DuckDBPyConnection:
            connect(path).close()
            os.truncate(path, 4096)
            made.append(Path(path))
            raise duckdb.IOException("the power went")

        monkeypatch.setattr(duckdb, "connect", torn)
        with pytest.raises((Retry, Fatal)):
            async with target.started():
                pass
        monkeypatch.undo()

        assert [False] == [target.path.exists() for _ in made]
        async with target.started():
            assert target.path.exists()


class TestValues:
    async def test_every_type(self, target: DuckdbTarget) -> None:
        """Columns keep their Arrow types, and every value comes back as it was."""
        columns = {
            "u": pa.array([2**64 - 1, None], pa.uint64()),
            "i": pa.array([-(2**63), 2**63 - 1]),
            "f": pa.array([math.nan, -math.inf]),
            "half": pa.array([1.5, None], pa.float16()),
            "d": pa.array([Decimal("12345678901234567890123456789.1234567"), None]),
            "ok": pa.array([True, None]),
            "text": pa.array(["a\0b'\"\\.\n", ""]),
            "raw": pa.array([b"\0\xff", b""]),
            "list": pa.array([["x", None], []]),
            "struct": pa.array([{"a": 1}, None]),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "nothing": pa.nulls(2),
            "closed_at": pa.array([1_600_000_000_123_456, -1], pa.timestamp("us", "UTC")),
        }
        async with target.started(commit_interval="0s") as consumer:
            await consumer.consume(delivery(**columns))
            await consumer.consume(delivery(2, **columns))

        types = dict(target.query("SELECT column_name, data_type FROM duckdb_columns()"))
        assert "UBIGINT" == types["u"]
        assert "DECIMAL(36,7)" == types["d"]
        assert "VARCHAR[]" == types["list"]
        assert "STRUCT(a BIGINT)" == types["struct"]
        assert "TIMESTAMP WITH TIME ZONE" == types["closed_at"]
        plain = [name for name in columns if name not in ("f", "closed_at")]
        expected = list(zip(*(columns[name].to_pylist() for name in plain), strict=True))
        assert expected * 2 == target.rows("rows", *plain)
        assert [(True, False), (False, True)] * 2 == target.rows("rows", "isnan(f)", "isinf(f)")
        assert [1_600_000_000_123_456, -1] * 2 == [
            row[0] for row in target.rows("rows", "epoch_us(closed_at)")
        ]


class TestFile:
    async def test_locked(self, target: DuckdbTarget) -> None:
        """A file that another process holds is refused, and the holder is named."""
        target.path.parent.mkdir()
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(target.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            with pytest.raises(Fatal, match=f"held by process {holder.pid} ") as refused:
                async with target.started():
                    pass
            holder.communicate(b"")
        assert "duckdb.locked" == refused.value.code
        async with target.started():
            pass

    async def test_permission_denied(self, target: DuckdbTarget) -> None:
        """Without the right to write, the run ends with a hint."""
        with powerless(target.path.parent), pytest.raises(Fatal) as refused:
            async with target.started():
                pass
        assert "duckdb.permission_denied" == refused.value.code
        assert "`path`" in refused.value.hint

    async def test_not_a_database(self, target: DuckdbTarget) -> None:
        """A file of another kind is refused and left alone."""
        target.path.parent.mkdir()
        target.path.write_bytes(b"sequence,hash\n" * 1000)
        with pytest.raises(Fatal) as refused:
            async with target.started():
                pass
        assert "duckdb.not_a_database" == refused.value.code
        assert b"sequence,hash\n" * 1000 == target.path.read_bytes()

    async def test_disk_full(self, target: DuckdbTarget) -> None:
        """A full disk is waited for: the same delivery goes through when there is room again."""
        async with target.started(commit_interval="0s") as consumer:
            assert 1 == await consumer.consume(delivery())
            large = delivery(2, rows=200_000)
            with file_size_limit(1_000_000):
                for _ in range(2):
                    with pytest.raises(Retry) as told:
                        await consumer.consume(large)
                    assert "duckdb.disk_full" == told.value.code
            assert 1 == await consumer.durable_position()
            assert 2 == await consumer.consume(large)
            assert 3 == await consumer.consume(delivery(3))

        assert [(200_002, 200_002)] == target.query(
            "SELECT count(*), count(DISTINCT message_id) FROM rows"
        )
        assert {"": 3, "rows": 3} == target.positions()

    async def test_memory_limit(self, target: DuckdbTarget) -> None:
        """`memory_limit` bounds DuckDB's memory."""
        async with target.started(memory_limit="256MB"):
            with duckdb.connect(str(target.path)) as same:
                (limit,) = same.execute("SELECT current_setting('memory_limit')").fetchall()[0]
        assert "244.1 MiB" == limit

    async def test_nothing_is_created_before_the_start(self, target: DuckdbTarget) -> None:
        """Neither `configure` nor `forget` makes a file."""
        consumer = SaveToDuckdb()
        await consumer.configure(target.config)
        await consumer.forget(Context("pipeline", "sink"))
        assert not target.path.parent.exists()

    async def test_memory_is_no_file(self) -> None:
        """A database in memory would be lost, so it is refused."""
        with pytest.raises(ConfigInvalid, match="expected a file"):
            await SaveToDuckdb().configure({"path": ":memory:"})
