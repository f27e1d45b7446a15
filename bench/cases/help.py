"""`help`: how long `flowctl --help` takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.rounds import ratio, take_turns

HELP, CONTROL, PYTHON = "flowctl --help", "flowctl --help, again", "python -c pass"


def measure(size: Size) -> Measurement:
    """Measure the wall time of whole processes; an empty Python is the floor."""
    flowctl = Path(sys.executable).with_name("flowctl")
    if not flowctl.is_file():
        raise Skip("`flowctl` is not installed beside this Python")
    variants = {
        HELP: _variant([flowctl, "--help"]),
        CONTROL: _variant([flowctl, "--help"]),
        PYTHON: _variant([sys.executable, "-c", "pass"]),
    }
    times = take_turns(variants, rounds=size.of(tiny=1, normal=10), budget_s=30)
    series = {name: Series("ms", samples) for name, samples in times.items()}
    return Measurement(
        series,
        controls={HELP: ratio(times[CONTROL], times[HELP])},
        goals=[Goal(HELP, "at most", 300, series[HELP].median, "ms", HELP)],
    )


def _variant(command: Sequence[str | Path]) -> Callable[[], float]:
    return lambda: _wall_ms(command)


def _wall_ms(command: Sequence[str | Path]) -> float:
    begun_s = perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return (perf_counter() - begun_s) * 1e3


CASE = Case(
    "help",
    "Wall time of `flowctl --help` as a process of its own; an empty Python process is the floor.",
    measure,
)
