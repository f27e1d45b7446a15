"""`ledgers`: ledgers a second from a lake through `rows` into Parquet files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import pyarrow.parquet as pq

from bench.case import Case, Measurement, Series, Size, Skip
from bench.real_ledgers import FIRST, write_renumbered_lake
from bench.rig import Invalid, run_document
from bench.rounds import ratio, take_turns

ONE, CONTROL, TWO = "1 worker", "1 worker, again", "2 workers"
WORKERS = {ONE: 1, CONTROL: 1, TWO: 2}
_serial = itertools.count()


@dataclass(slots=True)
class _Lake:
    """A lake to read.

    Attributes:
        verify: Whether its hashes fit.
        size_bytes: Of all its ledgers decompressed, as the source counted them.
    """

    name: str
    folder: Path
    first: int
    ledgers: int
    verify: bool
    size_bytes: int = 0

    @property
    def last(self) -> int:
        return self.first + self.ledgers - 1


def measure(size: Size) -> Measurement:
    """Measure every lake that can be had; skip only where there is none."""
    found = Measurement({})
    missing: dict[str, str] = {}
    for make in (_real, _generated):
        try:
            lake = make(size)
        except Skip as reason:
            missing[make.__name__.strip("_")] = str(reason)
            continue
        _measure_lake(size, lake, found)
    if not found.series:
        raise Skip("; ".join(missing.values()))
    found.facts = {**found.facts, **({"missing": missing} if missing else {})}
    return found


def _measure_lake(size: Size, lake: _Lake, found: Measurement) -> None:
    times = take_turns(
        {name: _variant(size, lake, workers) for name, workers in WORKERS.items()},
        rounds=size.of(tiny=1, normal=4),
        budget_s=35,
    )
    for name, samples in times.items():
        label = f"{lake.name}, {name}"
        found.series[label] = Series("ledgers/s", [lake.ledgers / s for s in samples])
        in_mb = [lake.size_bytes / 1e6 / seconds for seconds in samples]
        found.series[f"{label}, decompressed"] = Series("MB/s", in_mb)
    found.ratios[f"{lake.name}, 2 workers / 1"] = ratio(times[ONE], times[TWO])
    found.controls[f"{lake.name}, 1 worker"] = ratio(times[CONTROL], times[ONE])
    facts = {"ledgers": lake.ledgers, "bytes": lake.size_bytes, "verify": lake.verify}
    found.facts = {**found.facts, lake.name: facts}


def _variant(size: Size, lake: _Lake, workers: int) -> Callable[[], float]:
    return lambda: _run(Path(size.folder) / f"run-{next(_serial)}", lake, workers)


def _run(folder: Path, lake: _Lake, workers: int) -> float:
    """Return the seconds from the start of the engine until every row is durable."""
    out = folder / "out"
    config = {
        "path": str(lake.folder),
        "start": lake.first,
        "end": lake.last,
        "verify": lake.verify,
    }
    document = {
        "source": {"type": "galexie", "config": config},
        "pipeline": [
            {"type": "rows", "workers": workers},
            {"type": "save-to-parquet", "config": {"path": str(out)}},
        ],
    }
    result, elapsed_s = run_document(document, folder)
    lake.size_bytes = result.statistics.size_bytes_read
    _check(out, lake)
    rmtree(folder)
    return elapsed_s


def _check(out: Path, lake: _Lake) -> None:
    """Count at the sink: the `ledgers` files must hold a row for each ledger."""
    files = (out / "ledgers").rglob("*.parquet")
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    if rows != lake.ledgers:
        raise Invalid(f"expected {lake.ledgers} rows in `ledgers`, got {rows}")


def _real(size: Size) -> _Lake:
    folder, ledgers = Path(size.folder) / "real", size.of(tiny=2, normal=40, full=200)
    write_renumbered_lake(folder, ledgers)
    return _Lake("real 1 MB ledgers", folder, FIRST, ledgers, verify=False)


def _generated(size: Size) -> _Lake:
    try:
        from cdp_pipeline.connectors.stellar.generate import LakeSpec, write_lake
    except ImportError as error:
        raise Skip(f"no lake can be generated: {error}") from error
    folder, ledgers = Path(size.folder) / "generated", size.of(tiny=2, normal=100, full=500)
    spec = LakeSpec(ledgers=ledgers, transactions_per_ledger=100, ledgers_per_file=1)
    write_lake(spec, folder)
    return _Lake("generated ledgers", folder, spec.first_ledger, ledgers, verify=True)


CASE = Case(
    "ledgers",
    "A lake through `galexie`, `rows` (five tables) and `save-to-parquet`, until every row is "
    "durable; counted in the Parquet files. Real ledgers come again and again, renumbered; "
    "generated ones have their hashes verified.",
    measure,
)
