"""`latency`: how long a single message takes through one native stage."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from time import perf_counter

from bench.bouncing import Bouncer, Catcher
from bench.case import Case, Measurement, Series, Size
from bench.functions import pass_through, stage
from bench.rig import payments, run_given
from bench.rounds import ratio, take_turns
from cdpplugin import Batch
from cdpplugin.function import FunctionProcessor

HOP, CONTROL, BARE = "one stage", "one stage, again", "bare call on a thread"
NO_STAGE = "no stage"
LINGER_S = 0
"""A batch goes as it is: with a linger, one message alone waits for company that never comes."""


def measure(size: Size) -> Measurement:
    """Measure the median and the 99th percentile of many single messages, round by round."""
    messages = size.of(tiny=50, normal=2000)
    slow: dict[str, list[float]] = {HOP: [], CONTROL: [], NO_STAGE: [], BARE: []}
    variants = {
        HOP: lambda: _noted(_through(1, messages), slow[HOP]),
        CONTROL: lambda: _noted(_through(1, messages), slow[CONTROL]),
        NO_STAGE: lambda: _noted(_through(0, messages), slow[NO_STAGE]),
        BARE: lambda: _noted(asyncio.run(_bare(messages)), slow[BARE]),
    }
    middle = take_turns(variants, rounds=size.of(tiny=1, normal=7), budget_s=30)
    series = {f"{name}, p50": Series("us", samples) for name, samples in middle.items()}
    # The warm-up's percentile is dropped as its median was.
    series |= {f"{name}, p99": Series("us", samples[1:]) for name, samples in slow.items()}
    return Measurement(
        series,
        ratios={"one stage / bare call, p50": ratio(middle[HOP], middle[BARE])},
        controls={"one stage, p50": ratio(middle[CONTROL], middle[HOP])},
        facts={"messages": messages, "in_flight": 1, "linger_s": LINGER_S},
    )


def _noted(latencies_us: list[float], slow: list[float]) -> float:
    """Return the median; note the 99th percentile in *slow*."""
    percentiles = quantiles(latencies_us, n=100)
    slow.append(percentiles[98])
    return percentiles[49]


def _through(stages: int, messages: int) -> list[float]:
    bouncer = Bouncer(messages)
    plugins = [stage(pass_through) for _ in range(stages)]
    run_given(bouncer, plugins, Catcher(bouncer), batch={"linger": LINGER_S})
    return bouncer.latencies_us


async def _bare(messages: int) -> list[float]:
    """Call the same plugin with the same batch on a thread, with nothing around it."""
    plugin, batch = stage(pass_through), payments(1)
    assert isinstance(plugin, FunctionProcessor)
    with ThreadPoolExecutor(1) as threads:
        return [await _bare_call(threads, plugin, batch) for _ in range(messages)]


async def _bare_call(threads: ThreadPoolExecutor, plugin: FunctionProcessor, batch: Batch) -> float:
    begun_s = perf_counter()
    await asyncio.get_running_loop().run_in_executor(threads, plugin.process_batch, batch)
    return (perf_counter() - begun_s) * 1e6


CASE = Case(
    "latency",
    "One message at a time from source to sink through one native stage: median and 99th "
    "percentile, beside a bare call of the same plugin on a thread.",
    measure,
)
