"""`grpc`: messages a second through plugins in other processes, and how long one takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from bench import numaflow
from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.process_plugins import (
    PLUGINS,
    bare_latencies,
    built_go_plugin,
    latencies_through,
    rate_through,
)
from bench.rig import BATCH_ROWS
from bench.rounds import Variants, ratio, take_turns

PYTHON, GO, NUMAFLOW, UNARY = "Python plugin", "Go plugin", "pynumaflow", "plain unary server"
HOP, BARE = "one hop", "bare unary call"
AGAIN = ", again"
WORKERS = 4
"""Batches with a plugin at once; times 16 calls a batch, 64 calls where there are no batches."""
Rates = dict[str, list[float]]


def measure(size: Size) -> Measurement:
    """Measure the rates of all plugins in turns, then the latencies of a hop in turns."""
    variants, messages, left_out = _variants(size)
    rates = _turns(variants, size, budget_s=24)
    singles = size.of(tiny=20, normal=400, full=2000)
    latencies = _turns(_latency_variants(singles), size, budget_s=12)
    series = {name: Series("msg/s", samples) for name, samples in rates.items()}
    series |= {f"{name}, p50": Series("us", samples) for name, samples in latencies.items()}
    ratios, goals = _rate_goals(rates)
    hop = ratio(latencies[HOP], latencies[BARE])
    ratios[f"{HOP} / {BARE}"] = hop
    goals.append(Goal("latency of one hop / unary call", "at most", 2, hop.median, "x", HOP))
    return Measurement(
        series,
        ratios=ratios,
        controls=_controls(rates | latencies),
        goals=goals,
        facts={"messages": messages, "batch": BATCH_ROWS, "workers": WORKERS, "singles": singles}
        | ({"left out": left_out} if left_out else {}),
    )


def _turns(variants: Variants, size: Size, *, budget_s: float) -> Rates:
    """Return samples by variant; a tiny run has one of each and no warm-up: each is a launch."""
    if size.scale == "tiny":
        return {name: [variant()] for name, variant in variants.items()}
    return take_turns(variants, rounds=size.of(tiny=1, normal=5, full=9), budget_s=budget_s)


def _variants(
    size: Size,
) -> tuple[dict[str, Callable[[], float]], dict[str, int], dict[str, str]]:
    """Return what can be measured here, with how many messages, and why the rest cannot."""
    ours = size.of(tiny=2 * BATCH_ROWS, normal=120_000, full=600_000)
    calls = size.of(tiny=200, normal=3000, full=20_000)
    messages = {PYTHON: ours, UNARY: calls}
    variants: dict[str, Callable[[], float]] = {
        PYTHON: partial(rate_through, PLUGINS / "change_python", ours, workers=WORKERS),
        UNARY: partial(rate_through, PLUGINS / "plain_unary", calls, workers=WORKERS),
    }
    left_out: dict[str, str] = {}
    for name, prepare, count in ((GO, _go, ours), (NUMAFLOW, _numaflow, calls)):
        try:
            variants[name] = prepare(size, count)
            messages[name] = count
        except Skip as reason:
            left_out[name] = str(reason)
    for name in (PYTHON, GO, NUMAFLOW):
        if name in variants:
            variants[name + AGAIN] = variants[name]
    return variants, messages, left_out


def _go(size: Size, messages: int) -> Callable[[], float]:
    if size.scale == "tiny":
        raise Skip("not built in a tiny run")
    plugin = built_go_plugin("change_go", Path(size.folder))
    return partial(rate_through, plugin, messages, workers=WORKERS)


def _numaflow(size: Size, messages: int) -> Callable[[], float]:
    if size.scale == "tiny":
        raise Skip("not installed in a tiny run")
    return partial(numaflow.rate, numaflow.environment(), messages)


def _latency_variants(messages: int) -> dict[str, Callable[[], float]]:
    ours, plain = PLUGINS / "change_python", PLUGINS / "plain_unary"
    return {
        HOP: lambda: median(latencies_through(ours, messages)),
        BARE: lambda: median(bare_latencies(plain, messages)),
        HOP + AGAIN: lambda: median(latencies_through(ours, messages)),
    }


def _rate_goals(rates: Rates) -> tuple[dict[str, Series], list[Goal]]:
    own = median(rates[PYTHON])
    goals = [
        Goal("Python plugin that changes every message", "at least", 150e3, own, "msg/s", PYTHON)
    ]
    ratios = {f"{PYTHON} / {UNARY}": ratio(rates[PYTHON], rates[UNARY])}
    for above, below, least, control in (
        (PYTHON, NUMAFLOW, 20, NUMAFLOW),  # the side that varies more from run to run
        (GO, PYTHON, 2, GO),
    ):
        if above in rates and below in rates:
            name = f"{above} / {below}"
            ratios[name] = ratio(rates[above], rates[below])
            goals.append(Goal(name, "at least", least, ratios[name].median, "x", control))
    return ratios, goals


def _controls(samples: Rates) -> dict[str, Series]:
    return {
        name: ratio(samples[name + AGAIN], samples[name])
        for name in samples
        if name + AGAIN in samples
    }


CASE = Case(
    "grpc",
    "Plugins in processes of their own that parse and change every message of about 230 bytes: "
    "ours in batches of 1000, several in flight, and a plain server called once a message, "
    "counted at the sink of a whole pipeline; a map server of pynumaflow, one message a frame "
    "and 1000 in flight, counted by a minimal client. Then one message at a time.",
    measure,
)
