"""`reload`: how long batches take while the plugin is replaced a hundred times at full load."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median, quantiles

from bench import stamps
from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.reloads import WORKERS, Found, reloaded
from bench.rig import BATCH_ROWS
from bench.rounds import ratio, take_turns
from bench.stamps import Stamps
from cdp_pipeline.config.settings import HostSettings

PROCESSES = {"Go plugin": stamps.in_go, "Python plugin": stamps.in_python}
GUEST = "C guest"
STILL, RELOADED, KEPT = "no reloads", "reloads", "reloads, old version kept"
AGAIN = ", again"
_WARM_UP = 0.1
"""Share of a run that the first one does, whose numbers are dropped."""
Runs = dict[str, list[Found]]


def measure(size: Size) -> Measurement:
    """Measure each plugin with and without reloads, in turns.

    Raises:
        Skip: No plugin can be built here.
    """
    found = Measurement({}, facts={})
    facts: dict[str, object] = {
        "batch": BATCH_ROWS,
        "workers": WORKERS,
        "reloads a run": _reloads(size),
        "old version kept, s": HostSettings().reload_window,
        "lost": 0,  # or the run would have been invalid
        "doubled": 0,
    }
    left_out: dict[str, str] = {}
    for name, plugin in _plugins(size, left_out).items():
        runs = _turns(plugin, size)
        _add(found, name, runs)
        facts[f"{name}, messages"] = sum(each.messages for all_ in runs.values() for each in all_)
        facts[f"{name}, ms of a reload, median and p99"] = _steps(runs[RELOADED])
    if not found.series:
        raise Skip("; ".join(f"{name}: {reason}" for name, reason in left_out.items()))
    found.facts = facts | ({"left out": left_out} if left_out else {})
    return found


def _reloads(size: Size) -> int:
    return size.of(tiny=2, normal=100)


def _plugins(size: Size, left_out: dict[str, str]) -> dict[str, Stamps]:
    """Return one plugin in a process, and one guest, as far as they can be built here."""
    plugins: dict[str, Stamps] = {}
    for name, build in (*PROCESSES.items(), (GUEST, stamps.in_c)):
        if name == "Python plugin" and plugins:
            continue  # it stands in for one in Go
        try:
            if size.scale == "tiny" and build is not stamps.in_python:
                raise Skip("not built in a tiny run")
            plugins[name] = build(Path(size.folder) / name)
        except Skip as reason:
            left_out[name] = str(reason)
    return plugins


def _turns(plugin: Stamps, size: Size) -> Runs:
    """Return the runs by variant, but for the warm-up's."""
    runs: Runs = {}
    still_s = size.of(tiny=0.2, normal=3.0, full=10.0)
    kept_s = HostSettings().reload_window

    def variant(name: str, reloads: int, window_s: float) -> Callable[[], float]:
        def run() -> float:
            share = 1.0 if runs.setdefault(name, []) or size.scale == "tiny" else _WARM_UP
            found = reloaded(
                plugin,
                reloads=math.ceil(reloads * share),
                window_s=window_s,
                still_s=still_s * share,
            )
            runs[name].append(found)
            return _p99(found.latencies_ms)

        return run

    variants = {
        STILL: variant(STILL, 0, 0.0),
        RELOADED: variant(RELOADED, _reloads(size), 0.0),
        STILL + AGAIN: variant(STILL + AGAIN, 0, 0.0),
        KEPT: variant(KEPT, _reloads(size), kept_s),
    }
    if size.scale == "tiny":
        for run in variants.values():
            run()
        return runs
    take_turns(variants, rounds=size.of(tiny=1, normal=3, full=5), budget_s=100)
    return {name: found[1:] for name, found in runs.items()}


def _add(found: Measurement, name: str, runs: Runs) -> None:
    """Add to *found* what the runs of plugin *name* showed."""
    for variant, each in runs.items():
        latencies = [run.latencies_ms for run in each]
        label = f"{name}, {variant}"
        found.series[f"{label}, p50"] = Series("ms", [median(ms) for ms in latencies])
        found.series[f"{label}, p99"] = Series("ms", [_p99(ms) for ms in latencies])
        found.series[f"{label}, longest"] = Series("ms", [max(ms) for ms in latencies])
        found.series[label] = Series("msg/s", [run.rate for run in each])
    against = partial(_ratio, found, name)
    control = f"{name}, p99 of a batch"
    found.controls[control] = against(STILL + AGAIN, ", p99")
    for variant in (RELOADED, KEPT):
        slower = found.ratios[f"{name}, p99, {variant} / none"] = against(variant, ", p99")
        found.ratios[f"{name}, msg/s, {variant} / none"] = against(variant, "")
        what = f"{name}, p99 of a batch, {variant} / none"
        found.goals.append(Goal(what, "at most", 3, slower.median, "x", control))


def _ratio(found: Measurement, name: str, variant: str, what: str) -> Series:
    above = found.series[f"{name}, {variant}{what}"].samples
    return ratio(above, found.series[f"{name}, {STILL}{what}"].samples)


def _steps(runs: list[Found]) -> dict[str, str]:
    """Return how long each step of a reload took."""
    steps: dict[str, list[float]] = {}
    for run in runs:
        for step, took_ms in run.steps_ms.items():
            steps.setdefault(step, []).extend(took_ms)
    return {step: f"{median(ms):.3g} and {_p99(ms):.3g}" for step, ms in steps.items()}


def _p99(samples: list[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[98]


CASE = Case(
    "reload",
    "A plugin that stamps its version into every message of about 230 bytes, in batches of 1000, "
    "replaced again and again by its other version while a whole pipeline runs at full load: "
    "the next reload begins as soon as messages of the last version arrive. A batch is timed from "
    "its hand-over to the managed handle until its answer. Every message must arrive once, in "
    "order, and each version's in one run. `call` is a reload until the old version has ended.",
    measure,
)
