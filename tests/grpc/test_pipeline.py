"""Plugins that fail in a running pipeline: the policy is applied, and no message is lost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc import reading
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedSource
from cdpplugin import SourceBatch
from tests.engine.conftest import Bench, Limits, Policy, numbers
from tests.grpc.conftest import Workshop, marked

QUICK = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01, max_restarts=50)

SOURCE = """
import asyncio, json
from cdpplugin import Base, Batch, PluginMetadata, SourceBatch, SourceDescription, get_logger
from cdpplugin.serving import serve

class Numbers(Base):
    def metadata(self):
        return PluginMetadata("raw", "1.0.0", "source")

    async def describe(self):
        return SourceDescription("numbers", unit="numbers")

    async def read(self, after):
        for n in range({rows}):
            yield SourceBatch(Batch.of("Number", [{{"n": n}}]), [n])
        if {waits}:
            await asyncio.Event().wait()

    async def acknowledge(self, completed_through):
        with open({checkpoint!r}) as file:
            written = json.load(file)["position"]
        get_logger().info("acknowledged", through=completed_through, written=written)

    async def stop(self):
        get_logger().info("stopped")

serve(Numbers())
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def poisoned(kind: str, at: int) -> list[SourceBatch]:
    """Numbers from 0 to 59, that at *at* of another type."""
    script = []
    for found in numbers(0, 59):
        types = [kind if n == at else "Number" for n in found.positions]
        script.append(replace(found, batch=found.batch.replace(types=types)))
    return script


def taken(consumer: MemoryConsumer) -> list[int]:
    return [json.loads(payload)["n"] for *_, payload in consumer.rows]


def without(*missing: int) -> list[int]:
    return [n for n in range(60) if n not in missing]


class TestDeath:
    @pytest.mark.parametrize("workers", [1, 4])
    async def test_loses_and_doubles_nothing(
        self, workshop: Workshop, bench: Bench, tmp_path: Path, workers: int
    ) -> None:
        """A plugin that dies once is started again; every message comes once, in order."""
        handle = await workshop.raw("dies-once", str(tmp_path / "died"), policy=QUICK)
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(0, 59)),
            handle,
            consumer,
            workers=workers,
            limits=Limits(rows=10),
        )
        assert [] == outcome.failures
        assert without() == taken(consumer)

    async def test_of_one_message_keeps_the_others(self, workshop: Workshop, bench: Bench) -> None:
        """A message that kills the plugin each time is set aside; the others pass."""
        handle = await workshop.raw("dies-mid-batch", policy=QUICK)
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(poisoned("Poison", 33)), handle, consumer, policy=Policy("dead_letter")
        )
        assert [] == outcome.failures
        assert without(33) == taken(consumer)
        [letter] = [json.loads(line) for line in bench.dead_letters.path.read_text().splitlines()]
        assert "SIGSEGV" in json.dumps(letter)

    async def test_of_one_message_may_end_the_pipeline(
        self, workshop: Workshop, bench: Bench
    ) -> None:
        """Under `fail` such a message ends the run at its position; what came before is durable."""
        handle = await workshop.raw("dies-mid-batch", policy=QUICK)
        consumer = MemoryConsumer()
        outcome = await bench.run(ScriptedSource(poisoned("Poison", 33)), handle, consumer)
        [failure] = outcome.failures
        assert ("plugin.crashed", 33) == (failure.error.code, failure.position)
        assert "raw@1.0.0" in str(failure.error)
        assert (list(range(33)), 32) == (taken(consumer), bench.position)

    async def test_for_ever_ends_the_pipeline(
        self, workshop: Workshop, bench: Bench, tmp_path: Path
    ) -> None:
        """A plugin that answers nothing ends the run, whatever the policy; no row is to blame."""
        few = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01, max_restarts=2)
        handle = await workshop.raw("answers-nothing", str(tmp_path / "ends"), policy=few)
        consumer, policy = MemoryConsumer(), Policy("dead_letter", attempts=20)
        outcome = await bench.run(ScriptedSource(numbers(0, 59)), handle, consumer, policy=policy)
        [failure] = outcome.failures
        assert "plugin.crashed" == failure.error.code
        assert "raw@1.0.0" in str(failure.error)
        assert "has died 3 times" in str(failure.error)
        assert [] == taken(consumer)
        assert not bench.dead_letters.path.exists()


class TestLateness:
    @pytest.mark.parametrize("workers", [1, 4])
    async def test_of_one_message_keeps_the_others(
        self, workshop: Workshop, bench: Bench, workers: int
    ) -> None:
        """A message on which the plugin hangs is set aside; the others pass."""
        handle = await workshop.raw("hangs", timeout_s=0.25)
        consumer = MemoryConsumer()
        source = ScriptedSource(poisoned("Slow", 33))
        outcome = await bench.run(
            source,
            handle,
            consumer,
            policy=Policy("dead_letter"),
            workers=workers,
            limits=Limits(rows=10),
        )
        assert [] == outcome.failures
        assert without(33) == taken(consumer)
        [letter] = bench.dead_letters.path.read_text().splitlines()
        assert "plugin.timeout" in letter


NONSENSE = ["garbage", "too-much", "many-rows", "unknown-rows", "unknown-sequence"]


class TestNonsense:
    async def test_drop(self, workshop: Workshop, bench: Bench) -> None:
        """Under `drop` answers that make no sense cost their messages, counted."""
        handle: Any = await workshop.raw("many-rows")
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(0, 59)), handle, consumer, policy=Policy("drop")
        )
        assert [] == outcome.failures
        assert [] == taken(consumer)
        [stage, _] = bench.statistics.stages
        assert {"error: plugin.protocol_violation": 60} == stage.drop_reasons

    @pytest.mark.parametrize("mode", NONSENSE)
    async def test_dead_letter(self, workshop: Workshop, bench: Bench, mode: str) -> None:
        """Under `dead_letter` each message of such a plugin is set aside, none is lost."""
        handle = await workshop.raw(mode, max_message_bytes=1_000_000)
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(0, 59)), handle, consumer, policy=Policy("dead_letter")
        )
        assert [] == outcome.failures
        assert [] == taken(consumer)
        letters = [json.loads(line) for line in bench.dead_letters.path.read_text().splitlines()]
        assert [f"n:{n}" for n in range(60)] == [letter["id"] for letter in letters]
        assert {"plugin.protocol_violation"} == {letter["error"]["code"] for letter in letters}

    @pytest.mark.parametrize("mode", NONSENSE)
    async def test_fail(self, workshop: Workshop, bench: Bench, mode: str) -> None:
        """Under `fail` the run ends at the first message, for the next run to begin with."""
        handle = await workshop.raw(mode, max_message_bytes=1_000_000)
        consumer = MemoryConsumer()
        outcome = await bench.run(ScriptedSource(numbers(5, 59)), handle, consumer)
        [failure] = outcome.failures
        assert ("plugin.protocol_violation", 5) == (failure.error.code, failure.position)
        assert [] == taken(consumer)

    async def test_of_one_message_keeps_the_others(self, workshop: Workshop, bench: Bench) -> None:
        """One message that is answered with nonsense is set aside; the others pass."""
        handle = await workshop.raw("nonsense")
        consumer = MemoryConsumer()
        source = ScriptedSource(poisoned("Odd", 33))
        outcome = await bench.run(source, handle, consumer, policy=Policy("dead_letter"))
        assert [] == outcome.failures
        assert without(33) == taken(consumer)


@pytest.mark.parametrize("mode", ["floods", "forks", "stubborn", "plain-on-port"])
async def test_bad_manners_cost_nothing(workshop: Workshop, bench: Bench, mode: str) -> None:
    """A plugin that floods its log, forks, or ignores SIGTERM loses no message, and ends."""
    handle = await workshop.raw(mode, grace_s=0.3)
    consumer = MemoryConsumer()
    outcome = await bench.run(ScriptedSource(numbers(0, 59)), handle, consumer)
    assert [] == outcome.failures
    assert without() == taken(consumer)
    await handle.stop()
    assert [] == marked(str(workshop.runtime))


class TestSource:
    """A consumer that makes nothing durable before it is flushed: at the end of the stream."""

    async def source(self, workshop: Workshop, bench: Bench, *, waits: bool = False) -> Any:
        """A source of 20 rows that looks at the checkpoint when it is told what is durable."""
        code = SOURCE.format(rows=20, waits=waits, checkpoint=str(bench.store.path))
        return await workshop.script(code, "source")

    def heard(self, workshop: Workshop) -> list[tuple[Any, ...]]:
        names = ("acknowledged", "stopped")
        lines = [(m, f) for _, m, f in workshop.log.lines if m in names]
        return [(m, f.get("through"), f.get("written")) for m, f in lines]

    async def test_hears_of_its_last_rows(self, workshop: Workshop, bench: Bench) -> None:
        """Acknowledged after the last checkpoint is written, before it is stopped."""
        handle = await self.source(workshop, bench)
        outcome = await bench.run(handle, MemoryConsumer(buffered=True))
        await handle.stop()
        assert [] == outcome.failures
        assert [("acknowledged", 19, 19), ("stopped", None, None)] == self.heard(workshop)

    async def test_hears_of_what_was_read_before_a_stop(
        self, workshop: Workshop, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run that is stopped drains, and the source hears of what that made durable."""
        monkeypatch.setattr(reading, "_LEFT_S", 60.0)  # however busy the machine is
        handle = await self.source(workshop, bench, waits=True)
        consumer = MemoryConsumer(buffered=True)
        pipeline = bench.pipeline(handle, consumer)
        running = asyncio.create_task(pipeline.run())
        async with asyncio.timeout(20):
            while pipeline.statistics.position != 19:
                await asyncio.sleep(0.001)
        pipeline.stop()
        await running
        await handle.stop()
        assert list(range(20)) == taken(consumer)
        assert [("acknowledged", 19, 19), ("stopped", None, None)] == self.heard(workshop)

    async def test_that_dies_after_its_end_costs_nothing(
        self, workshop: Workshop, bench: Bench
    ) -> None:
        """All was read: the run ends well, whatever becomes of the source then."""
        handle = await workshop.raw("dies-after-the-end", keys={"type": "source"})
        consumer = MemoryConsumer()
        outcome = await bench.run(handle, consumer)
        await handle.stop()
        assert [] == outcome.failures
        assert [1, 2] == [json.loads(payload) for *_, payload in consumer.rows]
        assert 2 == bench.position
