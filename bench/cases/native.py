"""`native`: messages a second through one native stage that calls a function per message."""

from __future__ import annotations

from collections.abc import Callable

from bench.case import Case, Goal, Measurement, Series, Size
from bench.functions import keep_successful, mark_processed, pass_through, stage, summarize
from bench.rig import BATCH_ROWS, run_counted
from bench.rounds import ratio, take_turns
from cdpplugin import Message

MessageFunction = Callable[[Message], Message | None]
PASS = "pass through"
CONTROL = "pass through, again"
FUNCTIONS: dict[str, MessageFunction] = {
    PASS: pass_through,
    CONTROL: pass_through,
    "read and filter": keep_successful,
    "change payload": mark_processed,
    "new message": summarize,
}
NO_STAGE = "no stage"


def measure(size: Size) -> Measurement:
    """Measure every function, and the pipeline without a stage."""
    messages = size.of(tiny=2 * BATCH_ROWS, normal=300_000, full=1_000_000)
    variants = {name: _variant(function, messages) for name, function in FUNCTIONS.items()}
    variants[NO_STAGE] = lambda: messages / run_counted([], messages=messages).elapsed_s
    rates = take_turns(variants, rounds=size.of(tiny=1, normal=7), budget_s=45)
    series = {name: Series("msg/s", samples) for name, samples in rates.items()}
    return Measurement(
        series,
        controls={"pass through": ratio(rates[CONTROL], rates[PASS])},
        goals=[
            Goal(
                "native stage, one function call per message",
                "at least",
                1e6,
                series[PASS].median,
                "msg/s",
                "pass through",
            )
        ],
        facts={"messages": messages, "batch": BATCH_ROWS},
    )


def _variant(function: MessageFunction, messages: int) -> Callable[[], float]:
    arriving = messages // 2 if function is keep_successful else messages
    stages = [stage(function)]
    return lambda: messages / run_counted(stages, messages=messages, arriving=arriving).elapsed_s


CASE = Case(
    "native",
    "Messages through one native stage that calls a function per message, batches of 1000, "
    "counted at the sink of a whole pipeline; `no stage` is the same pipeline without it.",
    measure,
)
