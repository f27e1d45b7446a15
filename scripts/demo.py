"""The demonstration: generate a lake, run a pipeline over it, query what came out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo-out"
LEDGERS = 1000

QUERY = """
SELECT type_string                                  AS operation,
       count(*)                                     AS operations,
       count(DISTINCT source_account)               AS accounts,
       count(DISTINCT ledger_sequence)              AS ledgers,
       round(100 * avg((operation_trace_code LIKE '%Success')::INT), 1) AS "applied, %"
FROM read_parquet('{folder}/operations/*.parquet')
GROUP BY 1 ORDER BY 2 DESC LIMIT 8
"""


def flowctl(*arguments: str) -> None:
    """Run one command as a user would, and stop where it fails."""
    command = [str(Path(sys.executable).parent / "flowctl"), *arguments]
    Console(stderr=True).print(f"[bold]$ flowctl {' '.join(arguments)}[/bold]")
    environment = os.environ | {
        "CDP_LAKE": str(OUT / "lake"),
        "OUT": str(OUT / "rows"),
        "XDG_STATE_HOME": str(OUT / "state"),
    }
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def show() -> None:
    """Print a small table from the Parquet files, and where to look further."""
    folder = OUT / "rows"
    with duckdb.connect() as engine:
        found = engine.execute(QUERY.format(folder=folder))
        names = [column[0] for column in found.description or ()]
        answers = found.fetchall()
        files = f"read_parquet('{folder}/*/*.parquet', union_by_name=true)"
        [(rows,)] = engine.execute(f"SELECT count(*) FROM {files}").fetchall()
    table = Table(title=f"What {LEDGERS:,} ledgers hold", title_justify="left")
    for name in names:
        table.add_column(name, justify="left" if name == "operation" else "right")
    for row in answers:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console().print(table)
    print(f"{rows:,} rows lie in Parquet folders below {folder.relative_to(ROOT)},")
    print(f"and the same in {(folder / 'ledgers.duckdb').relative_to(ROOT)}: {', '.join(tables())}")


def tables() -> list[str]:
    """Return the tables of the DuckDB file, without the one that keeps positions."""
    with duckdb.connect(str(OUT / "rows" / "ledgers.duckdb"), read_only=True) as database:
        names = [name for (name,) in database.execute("SHOW TABLES").fetchall()]
    return [name for name in names if not name.startswith("cdp_")]


def main() -> None:
    """Run the demonstration from end to end, each time from the beginning."""
    begun = time.monotonic()
    for name in ("rows", "state"):
        shutil.rmtree(OUT / name, ignore_errors=True)
    flowctl("lake", "generate", "--ledgers", str(LEDGERS), "--out", str(OUT / "lake"))
    flowctl("run", "examples/pipelines/quickstart.yaml")
    show()
    print(f"All of it took {time.monotonic() - begun:.0f} s.")


if __name__ == "__main__":
    main()
