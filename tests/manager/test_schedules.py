"""Whatever happens in whatever order, no row is lost or doubled and no instance is left behind.

Seeded random schedules of reloads, good and bad, deaths, sickness, cancelled reloads and stops.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.native import handle
from tests.manager._book import Away, Book, Booked, Counting, Keeping, Reading, Stamping, Writing
from tests.manager._stream import Numbers, Witness, pipeline, policy
from tests.manager.conftest import House

LIMIT_S = 10
SEEDS = range(int(os.environ.get("CDP_SCHEDULES", "17")))
BEFORE = ["configure", "start", "health", "stop"]
BAD: Mapping[type[Booked], list[str]] = {
    Stamping: [*BEFORE, "crash", "retry", "rows", "lost", "sick"],
    Counting: [*BEFORE, "import", "export"],
    Away: [*BEFORE[:-1], "import"],
    Writing: [*BEFORE, "crash", "retry", "lost"],
    Keeping: [*BEFORE],
    Reading: [*BEFORE, "retry"],
}
"""In which ways a version of each kind of plugin may be bad, and the run yet has to go on."""


class Schedule:
    """One random course of events around one plugin."""

    def __init__(self, house: House, folder: Path, kind: type[Booked], seed: int) -> None:
        self.random = random.Random(f"{kind.__name__} {seed}")
        self.house = house
        self.kind = kind
        self.book = Book()
        self.witness = Witness()
        self.numbers = Numbers()
        self.workers = 1 if kind.stateful else self.random.choice([1, 2, 4])
        self.made = 0
        self.has_failed_rows = False
        self._folder = folder
        self._reloads: set[asyncio.Task[Any]] = set()
        house.settings(
            probation_s=self.random.choice([0.0, 0.01, 0.05]),
            drain_timeout_s=self.random.choice([0.02, 60.0]),
            health_interval_s=0.005,
            unhealthy_threshold=2,
            quarantine_wait_s=60.0,
            replacement_delay_s=0.0,
            max_replacements=1000,
        )

    async def begin(self) -> None:
        """Start the plugin and the run."""
        self.next("")
        self.managed = await self.house.load(self.house.next())
        roles: dict[str, Any] = {"processor": None, "source": handle(self.numbers)}
        roles |= {"consumer": handle(self.witness), self.kind.kind: self.managed}
        again = policy("retry", attempts=10**6, initial_delay_s=0.001, max_delay_s=0.002)
        self.run = pipeline(
            self._folder,
            roles["source"],
            roles["processor"],
            roles["consumer"],
            workers=self.workers,
            on_error=again,
        )
        self.house.manager.watch()
        self.running = asyncio.create_task(self.run.run())
        await asyncio.sleep(0)  # a run that is cancelled has begun

    def next(self, mode: str) -> None:
        """Let the next instance be a new version that fails so."""
        self.made += 1
        self.has_failed_rows |= bool(mode) and mode not in BEFORE
        version, left = f"1.0.{self.made}", [mode]

        def make() -> Booked:
            # An old version that is started anew is as good as it was.
            return self.kind(version, left.pop() if left else "")

        prepared = self.book.candidate(make, self.workers)
        self.house.next = lambda: prepared

    async def step(self) -> None:
        """Let something happen, and something else while it does."""
        dice = self.random.random()
        if dice < 0.35:
            await self._reload("")
        elif dice < 0.6:
            await self._reload(self.random.choice(BAD[self.kind]))
        elif dice < 0.7:
            self._begin_reload(self.random.choice(["", *BAD[self.kind]]))
        elif dice < 0.8:
            reload = self._begin_reload(self.random.choice(["", *BAD[self.kind]]))
            await self._tick()
            reload.cancel()
            await asyncio.wait([reload])
        elif dice < 0.85 and self.kind is Stamping:
            self.has_failed_rows = True
            self.living().mode = self.random.choice(["lost", "sick", "crash", "retry"])
        await self._tick()

    def living(self) -> Booked:
        """The instance that is asked now."""
        now = self.managed.current.metadata.version
        return next(each for each in reversed(self.book.launched) if each.version == now)

    async def _reload(self, mode: str) -> None:
        await asyncio.wait_for(asyncio.shield(self._begin_reload(mode)), 30)
        if not any(not each.done() for each in self._reloads):
            assert self.managed.current.state in ("running", "unhealthy", "quarantined")

    def _begin_reload(self, mode: str) -> asyncio.Task[Any]:
        self.next(mode)
        task = asyncio.create_task(self.house.manager.reload("stage"))
        self._reloads.add(task)
        return task

    async def _tick(self) -> None:
        for _ in range(self.random.choice([0, 1, 3, 10, 40])):
            await asyncio.sleep(0)
        if self.random.random() < 0.2:
            await asyncio.sleep(0.02)

    async def settle(self) -> None:
        """Let a good version take over, and all that goes on come to its end."""
        await asyncio.wait(self._reloads) if self._reloads else None
        await self._reload("")
        async with asyncio.timeout(LIMIT_S):
            seen = self.progress
            while self.progress < seen + 200 and not self.running.done():
                await asyncio.sleep(0.002)

    @property
    def progress(self) -> int:
        if self.kind.kind != "consumer":
            return self.witness.count
        return len(self.book.held)

    async def end(self) -> Any:
        """End the run as a host does: in peace, or at once."""
        if self.kind.kind == "source" or self.random.random() < 0.5:
            self.run.stop()
        self.numbers.ended = True
        outcome = await asyncio.wait_for(self.running, 30)
        await self.away()
        return outcome

    async def away(self) -> None:
        """End what is left: the reloads in progress, the manager, the plugin."""
        for each in self._reloads:
            if self.random.random() < 0.5:
                each.cancel()
        await asyncio.wait_for(self.house.manager.end(), 30)
        await asyncio.wait_for(_quietly(self.managed.stop()), 30)
        await asyncio.wait_for(asyncio.gather(*self._reloads, return_exceptions=True), 30)

    def check_nothing_is_left(self) -> None:
        """Every instance was stopped, once, and never asked afterwards."""
        assert [] == self.book.wrong
        assert [] == [(each.version, each.mode) for each in self.book.living]
        ours = {asyncio.current_task()}
        left = [t for t in asyncio.all_tasks() - ours if "cdp_pipeline" in repr(t.get_coro())]
        assert [] == left


async def _quietly(work: Any) -> None:
    try:
        await work
    except Exception:
        return


KINDS = pytest.mark.parametrize("kind", list(BAD), ids=lambda kind: kind.__name__)


@KINDS
@pytest.mark.parametrize("seed", SEEDS)
async def test_to_a_good_end(house: House, tmp_path: Path, kind: type[Booked], seed: int) -> None:
    """Each row came once, in order; a version that was not rolled back never came again."""
    schedule = Schedule(house, tmp_path, kind, seed)
    await schedule.begin()
    for _ in range(schedule.random.randint(2, 12)):
        await schedule.step()
    await schedule.settle()
    outcome = await schedule.end()
    assert [] == outcome.failures
    schedule.check_nothing_is_left()
    if kind.kind == "consumer":
        held = schedule.book.held
        assert list(range(len(held))) == held
        assert len(held) - 1 == schedule.run.checkpoint_position
    else:
        assert [] == schedule.witness.wrong
        if not schedule.has_failed_rows and "rolled_back" not in house.kinds():
            runs = [int(each.rpartition(".")[2]) for each in schedule.witness.runs]
            assert sorted(set(runs)) == runs


@KINDS
@pytest.mark.parametrize("seed", SEEDS)
async def test_to_a_sudden_end(house: House, tmp_path: Path, kind: type[Booked], seed: int) -> None:
    """A run that is cancelled at any moment leaves no instance and no task behind."""
    schedule = Schedule(house, tmp_path, kind, seed + 10**6)
    await schedule.begin()
    for _ in range(schedule.random.randint(1, 6)):
        await schedule.step()
    schedule._begin_reload(schedule.random.choice(["", *BAD[kind]]))
    await schedule._tick()
    schedule.running.cancel()
    await asyncio.wait([schedule.running], timeout=30)
    assert schedule.running.done()
    await schedule.away()
    schedule.check_nothing_is_left()
    if kind.kind == "consumer":
        assert list(range(len(schedule.book.held))) == schedule.book.held
