"""A stage that fails most of what it is asked is left alone for a while."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from cdp_pipeline.engine.batcher import BatchLimits
from cdp_pipeline.engine.breaker import Breaker
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import BreakerTerms, StageSpec
from cdp_pipeline.runtimes.native import handle
from cdp_pipeline.testing import MemoryConsumer, ScriptedSource
from cdpplugin import Message, PluginError, processor
from tests.engine.conftest import Bench, Limits, Policy, numbers

TERMS = BreakerTerms(failure_rate=0.5, rows=10, window_s=10.0, pause_s=30.0)


class Clocked:
    """A breaker with a clock that is set by hand."""

    def __init__(self, terms: BreakerTerms | None = TERMS) -> None:
        self.now_s = 100.0
        spec = StageSpec(
            name="s", plugin="p@1.0.0", on_error=Policy(), limits=BatchLimits(), breaker=terms
        )
        self.breaker = Breaker(spec, Patience(), lambda: self.now_s)

    def opened(self, *notes: tuple[int, int]) -> bool:
        for rows, failed in notes:
            self.breaker.note(rows, failed)
        return self.breaker.is_open


class TestOpening:
    def test_when_more_than_the_share_failed(self) -> None:
        """The share counts over the window, once there are rows enough."""
        assert not Clocked().opened((9, 9))
        assert not Clocked().opened((10, 5))
        assert Clocked().opened((5, 1), (5, 5))

    def test_forgets_what_left_the_window(self) -> None:
        """Failures of long ago do not count."""
        clocked = Clocked()
        clocked.opened((9, 9))
        clocked.now_s += 10.1
        assert not clocked.opened((10, 2))

    def test_never_without_terms(self) -> None:
        """A stage without a breaker is asked whatever fails."""
        assert not Clocked(None).opened((1000, 1000))

    def test_a_trial_decides(self) -> None:
        """After the pause one batch decides: it opens again, or closes and forgets."""
        clocked = Clocked()
        assert clocked.opened((10, 10))
        clocked.now_s += 30.0
        assert not clocked.breaker.is_open
        assert clocked.opened((1, 1))
        clocked.now_s += 30.0
        assert not clocked.opened((10, 1), (8, 8))
        assert clocked.opened((2, 2))


class Outage:
    """A service that is away for its first so many rows."""

    def __init__(self, rows: int) -> None:
        self.left = rows

    def ask(self, message: Message) -> Message:
        if self.left > 0:
            self.left -= 1
            raise PluginError("the service is away", code="service.away")
        return message


async def run(bench: Bench, outage: Outage, terms: BreakerTerms | None) -> tuple[Any, Any]:
    asking = processor("asks", "1.0.0")(outage.ask)
    consumer = MemoryConsumer()
    pipeline = bench.pipeline(
        ScriptedSource(numbers(1, 200)),
        handle(asking),
        consumer,
        policy=Policy("dead_letter"),
        limits=Limits(rows=10),
    )
    step = pipeline._spec.steps[0]
    object.__setattr__(step, "spec", replace(step.spec, breaker=terms))
    outcome = await asyncio.wait_for(pipeline.run(), 30)
    return outcome, consumer


async def test_an_outage_costs_few_messages(bench: Bench) -> None:
    """While the service is away the stream waits: only the first rows are set aside."""
    outage = Outage(10**9)
    terms = BreakerTerms(failure_rate=0.5, rows=10, window_s=10.0, pause_s=0.05)

    async def comes_back() -> None:
        while outage.left > 10**9 - 20:
            await asyncio.sleep(0.001)
        outage.left = 0

    mending = asyncio.create_task(comes_back())
    outcome, consumer = await run(bench, outage, terms)
    await mending
    assert [] == outcome.failures
    letters = len(bench.dead_letters.path.read_text().splitlines())
    assert 20 <= letters <= 40
    assert 200 == letters + len(consumer.rows)


async def test_without_one_all_are_set_aside(bench: Bench) -> None:
    """The same outage without a breaker: the policy takes every row."""
    outcome, consumer = await run(bench, Outage(200), None)
    assert ([], []) == (outcome.failures, consumer.rows)
    assert 200 == len(bench.dead_letters.path.read_text().splitlines())
