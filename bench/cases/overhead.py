"""`overhead`: what the host itself costs per message and stage."""

from __future__ import annotations

from collections.abc import Callable

from bench.case import Case, Goal, Measurement, Series, Size
from bench.functions import same_columns, same_columns_coroutine, stage
from bench.rig import BATCH_ROWS, run_counted
from bench.rounds import ratio, take_turns

FEW, MANY = 1, 6
KINDS = {
    "on a thread": same_columns,
    "on a thread, again": same_columns,
    "as a coroutine": same_columns_coroutine,
}


def measure(size: Size) -> Measurement:
    """Measure pipelines of few and of many stages; the slope is what a stage costs."""
    messages = size.of(tiny=2 * BATCH_ROWS, normal=500_000, full=2_000_000)
    variants = {
        _name(stages, kind): _variant(function, stages, messages)
        for kind, function in KINDS.items()
        for stages in (FEW, MANY)
    }
    taken = take_turns(variants, rounds=size.of(tiny=1, normal=9), budget_s=45)
    slopes = {
        kind: [
            (many - few) / (MANY - FEW)
            for few, many in zip(taken[_name(FEW, kind)], taken[_name(MANY, kind)], strict=True)
        ]
        for kind in KINDS
    }
    series = {name: Series("us/msg", samples) for name, samples in taken.items()}
    series |= {f"a stage, {kind}": Series("us/msg", slope) for kind, slope in slopes.items()}
    control = "a stage, on a thread"
    return Measurement(
        series,
        controls={control: ratio(slopes["on a thread, again"], slopes["on a thread"])},
        goals=[
            Goal(
                "host overhead per message and stage, batch 1000, "
                "batch function returning its columns",
                "at most",
                0.3,
                series["a stage, on a thread"].median,
                "us/msg",
                control,
            )
        ],
        facts={"messages": messages, "batch": BATCH_ROWS, "stages": [FEW, MANY]},
    )


def _name(stages: int, kind: str) -> str:
    return f"{stages} stage{'s' if stages > 1 else ''}, {kind}"


def _variant(function: Callable[..., object], stages: int, messages: int) -> Callable[[], float]:
    plugins = [stage(function, batch=True) for _ in range(stages)]
    return lambda: run_counted(plugins, messages=messages).elapsed_s / messages * 1e6


CASE = Case(
    "overhead",
    "Pipelines of 1 and of 6 stages whose batch function answers its own columns; the slope "
    "between them is what the host costs per message and stage.",
    measure,
)
