"""Read back what a run wrote, each kind by its own engine: every column of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg

TABLES = ("ledgers", "transactions", "operations", "token_transfers")
Rows = Mapping[str, Counter[str]]
"""By table: how often each row is there, a row being the text of all its columns."""


@dataclass(frozen=True)
class Targets:
    """Where one run writes.

    Attributes:
        folder: Parquet folders, DuckDB file and JSON lines.
        dsn: The PostgreSQL database.
        schema: The run's own schema in it.
    """

    folder: Path
    dsn: str
    schema: str

    def read(self) -> dict[str, Rows]:
        """Return the rows at each consumer."""
        return {
            "parquet": {table: self._parquet(table) for table in TABLES},
            "duckdb": self._duckdb(),
            "postgresql": self._postgresql(),
            "jsonl": {table: self._lines(table) for table in TABLES},
        }

    def _parquet(self, table: str) -> Counter[str]:
        files = self.folder / "parquet" / table
        if not list(files.rglob("*.parquet")):
            return Counter()
        query = f"SELECT t::VARCHAR FROM read_parquet('{files}/**/*.parquet') t"
        with duckdb.connect() as connection:
            return Counter(text for (text,) in connection.execute(query).fetchall())

    def _duckdb(self) -> Rows:
        with duckdb.connect(str(self.folder / "rows.duckdb"), read_only=True) as connection:
            return {
                table: Counter(
                    text
                    for (text,) in connection.execute(
                        f'SELECT t::VARCHAR FROM "{table}" t'
                    ).fetchall()
                )
                for table in TABLES
            }

    def _postgresql(self) -> Rows:
        with psycopg.connect(self.dsn) as connection:
            return {
                table: Counter(
                    text
                    for (text,) in connection.execute(
                        f'SELECT t::text FROM "{self.schema}"."{table}" t'
                    ).fetchall()
                )
                for table in TABLES
            }

    def _lines(self, table: str) -> Counter[str]:
        files = (self.folder / "jsonl").glob(f"{table}*.jsonl")
        return Counter(line for file in files for line in file.read_text().splitlines())

    def message_ids(self) -> dict[str, dict[str, list[str]]]:
        """Return the sorted ids of the messages at the consumers that keep them."""
        query = "SELECT message_id FROM {} ORDER BY 1"
        found: dict[str, dict[str, list[str]]] = {"parquet": {}, "duckdb": {}, "postgresql": {}}
        with (
            duckdb.connect(str(self.folder / "rows.duckdb"), read_only=True) as local,
            psycopg.connect(self.dsn) as remote,
        ):
            for table in TABLES:
                files = f"read_parquet('{self.folder}/parquet/{table}/**/*.parquet')"
                found["parquet"][table] = _first(local.execute(query.format(files)).fetchall())
                found["duckdb"][table] = _first(local.execute(query.format(table)).fetchall())
                away = query.format(f'"{self.schema}"."{table}"')
                answer = remote.execute(away).fetchall()
                found["postgresql"][table] = sorted(_first(answer))
        return found


def _first(rows: list[tuple[str, ...]]) -> list[str]:
    return [row[0] for row in rows]


def counts(rows: Mapping[str, Rows]) -> dict[str, dict[str, int]]:
    """Return the number of rows by consumer and table."""
    return {
        consumer: {table: found.total() for table, found in tables.items()}
        for consumer, tables in rows.items()
    }


def differences(expected: Mapping[str, Rows], got: Mapping[str, Rows]) -> list[str]:
    """Return in words what is lost or doubled, by consumer and table; nothing where all is well."""
    found = []
    for consumer, tables in expected.items():
        for table, rows in tables.items():
            lost = rows - got[consumer][table]
            extra = got[consumer][table] - rows
            if lost or extra:
                example = next(iter(lost or extra))[:200]
                found.append(
                    f"{consumer}.{table}: {lost.total()} lost, {extra.total()} extra: {example}"
                )
    return found
