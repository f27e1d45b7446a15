"""The command line of the benchmarks: `python -m bench [CASE ...]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from bench import results
from bench.case import Case, Measurement, Scale, Size, Skip
from bench.cases import NAMES, load


def main() -> int:
    """Measure the cases that were asked for; 0 unless one is unknown or broken."""
    arguments = _parser().parse_args()
    names = arguments.cases or NAMES
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown case `{unknown[0]}`; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    folder = _folder(arguments.out, arguments.scale)
    for name in names:
        _run(load(name), arguments.scale, folder)
    if folder is not None:
        print(f"table: {os.path.relpath(results.write_table(folder, NAMES))}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench", description="Measure CDP Pipeline.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--out", type=Path, help="folder of the results; default bench/results")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument(
        "--tiny",
        dest="scale",
        action="store_const",
        const="tiny",
        default="normal",
        help="only show that the cases work; writes nothing without --out",
    )
    scale.add_argument(
        "--full", dest="scale", action="store_const", const="full", help="longer runs"
    )
    return parser


def _folder(out: Path | None, scale: Scale) -> Path | None:
    """Return where results go; those of a tiny run mean nothing and replace none by default."""
    return out or (None if scale == "tiny" else results.FOLDER)


def _run(case: Case, scale: Scale, folder: Path | None) -> None:
    print(f"== {case.name}: {case.summary}", flush=True)
    begun_s = monotonic()
    with TemporaryDirectory(prefix=f"cdp-bench-{case.name}-") as scratch:
        try:
            found = case.measure(Size(scale, scratch))
        except Skip as reason:
            print(f"   skipped: {reason}")
            return
    elapsed_s = monotonic() - begun_s
    _show(found, elapsed_s)
    if folder is not None:
        results.write(folder, results.document(case, found, scale, elapsed_s))


def _show(found: Measurement, elapsed_s: float) -> None:
    for name, series in (found.series | found.ratios).items():
        print(f"   {name:48} {results.shown(series.median, series.unit)}")
    for name, series in found.controls.items():
        low, high = min(series.samples), max(series.samples)
        print(f"   {'A/A: ' + name:48} {low:.3g} to {high:.3g}")
    for goal in found.goals:
        print(f"   {results.goal_line(goal)}")
    print(f"   {elapsed_s:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
