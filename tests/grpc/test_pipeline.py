"""Plugins that fail in a running pipeline: the policy is applied, and no message is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedSource
from cdpplugin import SourceBatch
from tests.engine.conftest import Bench, Limits, Policy, numbers
from tests.grpc.conftest import Workshop

QUICK = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01, max_restarts=50)


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


class TestNonsense:
    async def test_drop(self, workshop: Workshop, bench: Bench) -> None:
        """Under `drop` an answer that makes no sense costs its batch, counted."""
        handle: Any = await workshop.raw("many-rows")
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(0, 59)), handle, consumer, policy=Policy("drop")
        )
        assert [] == outcome.failures
        assert [] == taken(consumer)
        [stage, _] = bench.statistics.stages
        assert {"error: plugin.protocol_violation": 60} == stage.drop_reasons
