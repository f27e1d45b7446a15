"""`memory`: whether a long run grows."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median

from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.machine import ROOT

_EARLY = 1_000_000
_SAMPLES = 500
_BUDGET_S = 300
CONTROL = "middle tenth / at 1 M"


def measure(size: Size) -> Measurement:
    """Compare the memory of the last tenth of a run with that at one million messages."""
    if sys.platform != "linux":
        raise Skip("resident memory is read from /proc, which only Linux has")
    messages = size.of(tiny=20_000, normal=3_000_000, full=10_000_000)
    arrived, rss_bytes = _long_run(messages, size.of(tiny=20, normal=_SAMPLES))
    early = min(_EARLY, messages // 3)
    at_early = median(_between(arrived, rss_bytes, 0.95 * early, 1.05 * early))
    late = _between(arrived, rss_bytes, 0.9 * messages, messages)
    middle = _between(arrived, rss_bytes, 0.5 * messages, 0.6 * messages)
    growth = Series("x", [rss / at_early for rss in late])
    return Measurement(
        {"resident": Series("MB", [rss / 1e6 for rss in rss_bytes])},
        ratios={"last tenth / at 1 M": growth},
        controls={CONTROL: Series("x", [rss / at_early for rss in middle])},
        goals=[
            Goal(
                "memory of the last tenth of a run over that at 1 M messages",
                "at most",
                1.05,
                growth.median,
                "x",
                CONTROL,
            )
        ],
        facts={"messages": messages, "early": early, "arrived": arrived},
    )


def _long_run(messages: int, samples: int) -> tuple[list[int], list[int]]:
    """Run in a process of its own, whose memory holds nothing of the cases before."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.long_run", str(messages), str(samples)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        timeout=_BUDGET_S,
    )
    found = json.loads(answer.stdout)
    return found["messages"], found["rss_bytes"]


def _between(arrived: list[int], rss_bytes: list[int], first: float, last: float) -> list[int]:
    held = [rss for at, rss in zip(arrived, rss_bytes, strict=True) if first <= at <= last]
    return held or [rss_bytes[min(range(len(arrived)), key=lambda i: abs(arrived[i] - first))]]


CASE = Case(
    "memory",
    "Resident memory of a process that changes every payload on the way, sampled at the sink: "
    "the median of the last tenth of the run over the median around 1 M messages.",
    measure,
)
