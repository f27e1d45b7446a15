"""`help`: how long `flowctl --help` takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from time import perf_counter

from bench.case import Case, Goal, Measurement, Series, Size
from bench.rounds import ratio, take_turns

HELP, CONTROL, PYTHON = "flowctl --help", "flowctl --help, again", "python -c pass"
_FLOWCTL = ("-c", "from cdp_pipeline.cli.main import main; main()", "--help")


def measure(size: Size) -> Measurement:
    """Measure the wall time of whole processes; an empty Python is the floor."""
    variants = {
        HELP: _variant(_FLOWCTL),
        CONTROL: _variant(_FLOWCTL),
        PYTHON: _variant(("-c", "pass")),
    }
    times = take_turns(variants, rounds=size.of(tiny=1, normal=10), budget_s=30)
    series = {name: Series("ms", samples) for name, samples in times.items()}
    return Measurement(
        series,
        controls={HELP: ratio(times[CONTROL], times[HELP])},
        goals=[Goal(HELP, "at most", 300, series[HELP].median, "ms", HELP)],
    )


def _variant(arguments: Sequence[str]) -> Callable[[], float]:
    return lambda: _wall_ms(arguments)


def _wall_ms(arguments: Sequence[str]) -> float:
    begun_s = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=60)
    return (perf_counter() - begun_s) * 1e3


CASE = Case(
    "help",
    "Wall time of `flowctl --help` as a process of its own; an empty Python process is the floor.",
    measure,
)
