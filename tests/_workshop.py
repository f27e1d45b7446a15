"""A folder to write pipeline files in and run them, and ledger lakes to read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from cdp_pipeline.config.paths import state_folder
from tests._flowctl import Finished, flowctl

FIRST, LAST = 30822015, 30822025


@dataclass(frozen=True)
class Lake:
    """A lake in a folder, one ledger a file."""

    folder: Path

    def file(self, ledger: int) -> Path:
        """Return the file of *ledger*."""
        [found] = self.folder.rglob(f"*--{ledger}.xdr.zst")
        return found


@dataclass(frozen=True)
class Workshop:
    """A folder with pipeline files and what their runs leave behind."""

    folder: Path

    def write(self, name: str, **keys: object) -> Path:
        """Write a pipeline file of *keys* (JSON is YAML)."""
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({"name": name, **keys}, indent=2))
        return path

    def run(self, name: str, **keys: object) -> Finished:
        """Write a pipeline file and run it to its end."""
        return flowctl("run", self.write(name, **keys), cwd=self.folder)

    def state(self, name: str) -> Path:
        """Return the state folder of a pipeline."""
        return state_folder(name, os.environ)

    def rows(self, folder: str) -> dict[str, int]:
        """Return the number of rows in each Parquet folder below *folder*."""
        tables = [path for path in (self.folder / folder).iterdir() if path.name[0] not in "_."]
        return {table.name: count(table) for table in sorted(tables)}

    def ledgers(self, folder: str) -> list[int]:
        """Return the ledger sequences of a Parquet folder, sorted; none where there is none."""
        files = self.folder / folder / "ledgers"
        if not list(files.rglob("*.parquet")):
            return []
        query = f"SELECT sequence FROM '{files}/**/*.parquet' ORDER BY 1"
        with duckdb.connect() as connection:
            return [sequence for (sequence,) in connection.execute(query).fetchall()]


def count(table: Path) -> int:
    """Return the number of rows in a folder of Parquet files."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT count(*) FROM '{table}/**/*.parquet'").fetchall()
    return int(found[0][0])


def galexie(lake: Lake, start: int = FIRST, end: int = LAST, **keys: object) -> dict[str, object]:
    """Return a source that reads a range of *lake*."""
    return {
        "type": "galexie",
        "config": {"path": str(lake.folder), "start": start, "end": end, **keys},
    }


def parquet(path: str = "out", **keys: object) -> dict[str, object]:
    """Return a stage that saves rows below *path*."""
    return {"type": "save-to-parquet", "config": {"path": path, **keys}}


def rows(*tables: str, **keys: object) -> dict[str, object]:
    """Return a stage that makes rows of *tables*."""
    return {"type": "rows", "config": {"tables": list(tables)}, **keys}
