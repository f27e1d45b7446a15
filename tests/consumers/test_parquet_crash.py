"""Kill a Parquet writer anywhere, resume with other batches: every row once."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import duckdb
import pytest

from cdp_pipeline.connectors.consumers.file_store import FileStore, LocalFiles
from cdp_pipeline.connectors.consumers.parquet_files import forget
from cdp_pipeline.connectors.consumers.parquet_tables import ParquetTables
from cdp_pipeline.connectors.consumers.partition import DatePartitions, NoPartitions
from cdp_pipeline.connectors.consumers.rotation import Rotation
from cdp_pipeline.connectors.consumers.storage_errors import StorageUnreachable
from cdpplugin import Context
from tests.consumers.stream import Row, deliveries, read_rows, rows_of

WRITER = Path(__file__).with_name("parquet_writer.py")


class Killed(BaseException):
    """The process ended here."""


class Mortal:
    """A file store that dies at its n-th change: before it, or just after."""

    def __init__(self, files: FileStore, changes: int, *, after: bool) -> None:
        self._files = files
        self._left = changes
        self._after = after
        self.address = files.address
        self.keys, self.read, self.sweep = files.keys, files.read, files.sweep

    def publish(self, key: str, fill: Callable[[IO[bytes]], None]) -> None:
        self._change(lambda: self._files.publish(key, fill))

    def delete(self, key: str) -> None:
        self._change(lambda: self._files.delete(key))

    def _change(self, change: Callable[[], None]) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        change()
        if self._left < 0:
            raise Killed


def _tables(files: FileStore, *, by_date: bool) -> ParquetTables:
    ticks = iter(range(10**9))
    return ParquetTables(
        files,
        Context("p", "s"),
        rotation=Rotation(max_rows=25, max_bytes=10**9, max_positions=16, max_age_s=90),
        partitioning=DatePartitions("closed_at") if by_date else NoPartitions(),
        clock=lambda: float(next(ticks)),
    )


def _run(files: FileStore, last: int, seed: int, *, by_date: bool) -> None:
    """Open, go on from what is durable, and flush at the end."""
    tables = _tables(files, by_date=by_date)
    tables.open()
    for delivery in deliveries(max(1, tables.completed_through + 1), last, seed):
        tables.take(delivery)
    tables.flush()


class TestCrash:
    @pytest.mark.parametrize("by_date", [False, True])
    @pytest.mark.parametrize("after", [False, True])
    def test_at_every_change(self, tmp_path: Path, after: bool, by_date: bool) -> None:
        """Whichever change of the store is the last, a resumed run gives each row once."""
        last, changes, lived = 60, 0, False
        while not lived:
            files = LocalFiles(tmp_path / str(changes))
            try:
                _run(Mortal(files, changes, after=after), last, seed=1, by_date=by_date)
                lived = True
            except Killed:
                _run(files, last, seed=changes + 2, by_date=by_date)

            assert rows_of(1, last) == read_rows(tmp_path / str(changes))
            changes += 3
        assert changes > 20

    def test_again_and_again(self, tmp_path: Path) -> None:
        """A run that dies after every dozen changes still ends, with each row once."""
        files, last, deaths = LocalFiles(tmp_path), 150, 0
        while True:
            try:
                _run(Mortal(files, 12, after=bool(deaths % 2)), last, deaths, by_date=True)
                break
            except Killed:
                deaths += 1

        assert deaths > 3
        assert rows_of(1, last) == read_rows(tmp_path)

    @pytest.mark.parametrize("changes", range(0, 16, 2))
    def test_while_forgetting(self, tmp_path: Path, changes: int) -> None:
        """A reset that is interrupted leaves what a run from the beginning completes."""
        files = LocalFiles(tmp_path)
        _run(files, 60, seed=1, by_date=False)
        with suppress(Killed):
            forget(Mortal(files, changes, after=True), Context("p", "s"))
        _run(files, 60, seed=2, by_date=False)

        assert rows_of(1, 60) == read_rows(tmp_path)


class TestSigkill:
    def test_rows_equal_those_of_an_undisturbed_run(self, tmp_path: Path) -> None:
        """Five SIGKILLs at seeded moments, replayed with other cuts, lose and double nothing."""
        dice, last = random.Random(20200728), 1500
        for kill in range(5):
            _start_and_kill(tmp_path / "killed", last, kill, after_lines=dice.randint(1, 12))
        _end(_start(tmp_path / "killed", last, 99, 17))
        _end(_start(tmp_path / "undisturbed", last, 7, 9))

        assert rows_of(1, last) == read_rows(tmp_path / "undisturbed")
        assert rows_of(1, last) == read_rows(tmp_path / "killed")
        assert rows_of(1, last) == _read_with_duckdb(tmp_path / "killed")
        assert [] == [path for path in tmp_path.rglob("*.tmp") if "_cdp" not in path.parts]


def _start(path: Path, last: int, seed: int, most: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(path), str(last), str(seed), str(most)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _start_and_kill(path: Path, last: int, seed: int, *, after_lines: int) -> None:
    with _start(path, last, seed, most=3 + 4 * seed) as process:
        assert process.stdout is not None
        for _ in range(after_lines):
            assert process.stdout.readline(), "the writer ended before it could be killed"
        process.kill()
    assert -9 == process.returncode


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=120)
    assert 0 == process.returncode


def _read_with_duckdb(root: Path) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for table in ("ledgers", "operations", "rare"):
        query = "SELECT position, number FROM read_parquet(?, hive_partitioning = true)"
        with duckdb.connect() as connection:
            rows = connection.execute(query, [f"{root}/{table}/*/*.parquet"]).fetchall()
        found.update((table, *row) for row in rows)
    return found


class Unsure:
    """A file store that sometimes keeps a file, or not, and answers with an error either way."""

    def __init__(self, files: FileStore, seed: int) -> None:
        self._files = files
        self._dice = random.Random(seed)
        self.address = files.address
        self.keys, self.read, self.sweep = files.keys, files.read, files.sweep
        self.delete = files.delete

    def publish(self, key: str, fill: Callable[[IO[bytes]], None]) -> None:
        fate = self._dice.random()
        if fate > 0.2:
            self._files.publish(key, fill)
        if fate < 0.4:
            raise StorageUnreachable("no answer")


class TestRetry:
    @pytest.mark.parametrize("by_date", [False, True])
    @pytest.mark.parametrize("seed", range(10))
    def test_a_store_that_answers_wrongly(self, tmp_path: Path, seed: int, by_date: bool) -> None:
        """Deliveries repeated until they succeed give each row once, whatever the store kept."""
        tables = _tables(Unsure(LocalFiles(tmp_path), seed), by_date=by_date)
        _until_done(tables.open)
        for delivery in deliveries(1, 70, seed):
            _until_done(partial(tables.take, delivery))
        _until_done(tables.flush)

        assert rows_of(1, 70) == read_rows(tmp_path)

    @pytest.mark.parametrize("seed", range(10))
    def test_given_up(self, tmp_path: Path, seed: int) -> None:
        """A delivery that is not repeated, then a flush and a restart: each row once."""
        tables = _tables(Unsure(LocalFiles(tmp_path), seed), by_date=False)
        with suppress(StorageUnreachable):
            tables.open()
            for delivery in deliveries(1, 70, seed):
                tables.take(delivery)
        with suppress(StorageUnreachable):
            tables.flush()
        _run(LocalFiles(tmp_path), 70, seed + 1, by_date=False)

        assert rows_of(1, 70) == read_rows(tmp_path)


def _until_done(call: Callable[[], object]) -> None:
    for _ in range(100):
        with suppress(StorageUnreachable):
            call()
            return
    raise AssertionError("a hundred tries were not enough")
