"""`latency`: how long a single message takes through one native stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from time import perf_counter

from bench.case import Case, Measurement, Series, Size
from bench.functions import pass_through, stage
from bench.rig import payments, run_given
from bench.rounds import ratio, take_turns
from cdpplugin import Base, Batch, Delivery, PluginMetadata, Resume, SourceBatch, SourceDescription
from cdpplugin.function import FunctionProcessor

HOP, CONTROL, BARE = "one stage", "one stage, again", "bare call on a thread"
NO_STAGE = "no stage"
LINGER_S = 0
"""A batch goes as it is: with a linger, one message alone waits for company that never comes."""


class Bouncer(Base):
    """A source that sends one message and waits until its sink has got it."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._batch = payments(1)
        self._arrived = asyncio.Event()
        self._sent_s = 0.0
        self.latencies_us: list[float] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("bouncer", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="bench", unit="messages")

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        for position in range(self._messages):
            self._arrived.clear()
            self._sent_s = perf_counter()
            yield SourceBatch(self._batch, [position])
            await self._arrived.wait()

    def got(self, delivery: Delivery) -> None:
        """Take note that the message has arrived."""
        if len(delivery.batch):
            self.latencies_us.append((perf_counter() - self._sent_s) * 1e6)
            self._arrived.set()


class Catcher(Base):
    """The sink of a `Bouncer`."""

    def __init__(self, bouncer: Bouncer) -> None:
        self._bouncer = bouncer

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("catcher", "1.0.0", "consumer")

    async def consume(self, delivery: Delivery) -> int:
        self._bouncer.got(delivery)
        return delivery.completed_through


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
