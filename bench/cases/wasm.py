"""`wasm`: messages a second through WebAssembly guests, by language, batch and payload."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from bench import wasm_guests
from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.rig import BATCH_ROWS
from bench.rounds import ratio, take_turns

RUST, EXTISM = "Rust guest", "Extism's Python SDK"
HOP, BARE = "one call through the host", "bare wasmtime call"
PIPELINE = "source to sink"
AGAIN = ", again"
PADDING_BYTES = 1800
Rates = dict[str, list[float]]


def measure(size: Size) -> Measurement:
    """Measure rates in turns, then the latencies of a hop in turns, then each guest's costs.

    Raises:
        Skip: Nothing can be built here.
    """
    if size.scale == "tiny":
        raise Skip("guests are not built in a tiny run")
    folder = Path(size.folder)
    rust = wasm_guests.built_rust("change_rust", folder)
    messages = size.of(tiny=0, normal=200_000, full=1_000_000)
    calls = size.of(tiny=0, normal=20_000, full=50_000)
    variants: dict[str, Callable[[], float]] = {
        RUST: partial(wasm_guests.rate, rust, messages),
        RUST + AGAIN: partial(wasm_guests.rate, rust, messages),
    }
    left_out: dict[str, str] = {}
    try:
        module = wasm_guests.built_rust("change_extism", folder)
        extism = partial(wasm_guests.extism_rate(module), calls)
        variants |= {EXTISM: extism, EXTISM + AGAIN: extism}
    except Skip as reason:
        left_out[EXTISM] = str(reason)
    rates = take_turns(variants, rounds=size.of(tiny=1, normal=5, full=9), budget_s=30)
    hops = _latencies(rust, size)
    costs, absent = _costs(rust, size)
    return _measurement(
        rates,
        hops,
        costs,
        {"messages": messages, "calls": calls, "batch": BATCH_ROWS, "cores": 1}
        | {"left out": left_out | absent},
    )


def _latencies(rust: Path, size: Size) -> Rates:
    singles = size.of(tiny=0, normal=1000, full=3000)
    variants = {
        HOP: lambda: median(wasm_guests.call_latencies(rust, singles)),
        BARE: lambda: median(wasm_guests.bare_latencies(rust, singles)),
        HOP + AGAIN: lambda: median(wasm_guests.call_latencies(rust, singles)),
        PIPELINE: lambda: median(wasm_guests.latencies(rust, singles)),
    }
    return take_turns(variants, rounds=size.of(tiny=1, normal=5, full=9), budget_s=15)


def _costs(rust: Path, size: Size) -> tuple[Rates, dict[str, str]]:
    """Return what a message costs each guest, in us, by rows in a batch and by payload."""
    guests, absent = {"Rust": rust}, {}
    makers = {
        "C": partial(wasm_guests.built_c, "change_c"),
        "Go": partial(wasm_guests.built_go, "change_go"),
        "Python": partial(wasm_guests.built_python, "change_python"),
    }
    for language, make in makers.items():
        try:
            guests[language] = make(Path(size.folder))
        except Skip as reason:
            absent[language] = str(reason)
    variants: dict[str, Callable[[], float]] = {}
    for language, module in guests.items():
        for rows, count in ((1, 1000), (100, 10_000), (1000, 40_000)):
            variants[f"{language}, {rows} a batch"] = partial(_cost, module, count, rows, 0)
        variants[f"{language}, 1000 a batch, 2 KB"] = partial(_cost, module, 20_000, 1000)
    return take_turns(variants, rounds=2, budget_s=30), absent


def _cost(module: Path, messages: int, rows: int, size_bytes: int = PADDING_BYTES) -> float:
    return 1e6 / wasm_guests.rate(module, messages, rows=rows, size_bytes=size_bytes)


def _measurement(rates: Rates, hops: Rates, costs: Rates, facts: dict[str, object]) -> Measurement:
    series = {name: Series("msg/s", samples) for name, samples in rates.items()}
    series |= {f"{name}, p50": Series("us", samples) for name, samples in hops.items()}
    series |= {name: Series("us/msg", samples) for name, samples in costs.items()}
    hop = ratio(hops[HOP], hops[BARE])
    ratios = {f"{HOP} / {BARE}": hop, f"{PIPELINE} / {BARE}": ratio(hops[PIPELINE], hops[BARE])}
    goals = [
        Goal("Rust guest, one core", "at least", 400e3, median(rates[RUST]), "msg/s", RUST),
        Goal("latency of a call through the host / bare", "at most", 2, hop.median, "x", HOP),
    ]
    if EXTISM in rates:
        above = ratio(rates[RUST], rates[EXTISM])
        ratios[f"{RUST} / {EXTISM}"] = above
        goals.append(Goal(f"{RUST} / {EXTISM}", "at least", 5, above.median, "x", EXTISM))
    measured = rates | hops
    controls = {
        name: ratio(measured[name + AGAIN], measured[name])
        for name in measured
        if name + AGAIN in measured
    }
    return Measurement(series, ratios=ratios, controls=controls, goals=goals, facts=facts)


CASE = Case(
    "wasm",
    "WebAssembly guests that parse and change every message of about 230 bytes, in batches of "
    "1000, in a whole pipeline kept on one core, counted at the sink; a module with the same JSON "
    "code called once a message by Extism's Python SDK, on one core; one message at a time, "
    "through the host's handle and from source to sink, beside wasmtime's own interface; and what "
    "a message costs by language.",
    measure,
)
