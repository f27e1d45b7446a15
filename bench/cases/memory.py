"""`memory`: whether a long run grows."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from bench.case import Case, Goal, Measurement, Series, Size, Skip
from bench.machine import ROOT
from bench.rounds import ratio

FIRST, AGAIN = "a run", "a run, again"
GROWTH = "last tenth / at 1 M"
_EARLY = 1_000_000
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class _Course:
    """How the memory of one process went: bytes, after how many messages."""

    messages: list[int]
    rss_bytes: list[int]

    def median(self, first: float, last: float) -> float:
        """Return the median between two counts of messages, or the sample nearest to them."""
        samples = list(zip(self.messages, self.rss_bytes, strict=True))
        within = [rss for arrived, rss in samples if first <= arrived <= last]
        middle = (first + last) / 2
        return median(within or [min(samples, key=lambda sample: abs(sample[0] - middle))[1]])


def measure(size: Size) -> Measurement:
    """Compare the memory of the last tenth of a run with that at one million messages."""
    if sys.platform != "linux":
        raise Skip("resident memory is read from /proc, which only Linux has")
    messages = size.of(tiny=20_000, normal=3_000_000, full=10_000_000)
    early = min(_EARLY, messages // 4)
    courses = {name: _long_run(messages) for name in (FIRST, AGAIN)}
    late = [course.median(0.9 * messages, messages) for course in courses.values()]
    base = [course.median(0.9 * early, 1.1 * early) for course in courses.values()]
    growth = ratio(late, base)
    first, again = growth.samples
    return Measurement(
        {
            name: Series("MB", [rss / 1e6 for rss in course.rss_bytes])
            for name, course in courses.items()
        },
        ratios={GROWTH: growth},
        controls={GROWTH: ratio([again], [first])},
        goals=[
            Goal(
                "memory of the last tenth of a run over that at 1 M messages",
                "at most",
                1.05,
                growth.median,
                "x",
                GROWTH,
            )
        ],
        facts={"messages": messages, "compared with": early},
    )


def _long_run(messages: int) -> _Course:
    """Run in a process of its own, whose memory holds nothing of the cases before."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.long_run", str(messages)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT_S,
    )
    return _Course(**json.loads(answer.stdout))


CASE = Case(
    "memory",
    "Resident memory of a process that changes every payload on the way, sampled at the sink: "
    "the median of the last tenth of the run over the median around 1 M messages.",
    measure,
)
