"""Guests that fail in a running pipeline: the policy is applied, and no message is lost."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedSource
from cdpplugin import SourceBatch
from tests.engine.conftest import Bench, Limits, Policy, numbers
from tests.wasm import _wat
from tests.wasm.conftest import Workshop, batch
from tests.wasm.test_limits import GROW, LOOP, bad_when_x


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def poisoned(at: int) -> list[SourceBatch]:
    """Numbers from 0 to 59, the one at *at* with an id that begins with x."""
    script = []
    for found in numbers(0, 59):
        ids = [f"x{n}" if n == at else f"n{n}" for n in found.positions]
        script.append(replace(found, batch=found.batch.replace(ids=ids)))
    return script


def taken(consumer: MemoryConsumer) -> list[int]:
    return [json.loads(payload)["n"] for *_, payload in consumer.rows]


def without(*missing: int) -> list[int]:
    return [n for n in range(60) if n not in missing]


@pytest.mark.parametrize("body", ["unreachable", LOOP, GROW], ids=["trap", "loop", "memory"])
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("action", ["drop", "dead_letter"])
async def test_one_bad_message(
    workshop: Workshop, bench: Bench, body: str, workers: int, action: str
) -> None:
    """A message that ends its guest is set aside alone; all others come once, in order."""
    limits = {"timeout": "100ms", "memory": "4MB"}
    handle = await workshop.launch(bad_when_x(body), limits=limits, workers=workers)
    consumer = MemoryConsumer()
    outcome = await bench.run(
        ScriptedSource(poisoned(23)),
        handle,
        consumer,
        policy=Policy(action),
        workers=workers,
        limits=Limits(rows=10),
    )
    assert [] == outcome.failures
    assert without(23) == taken(consumer)


async def test_a_policy_that_fails(workshop: Workshop, bench: Bench) -> None:
    """By default the run ends at the bad message, and everything before it is whole."""
    handle = await workshop.launch(bad_when_x("unreachable"))
    consumer = MemoryConsumer()
    outcome = await bench.run(ScriptedSource(poisoned(23)), handle, consumer)
    assert "plugin.trapped" == outcome.failures[0].error.code
    assert list(range(23)) == taken(consumer)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def test_ten_thousand_replacements(workshop: Workshop) -> None:
    """Instances that are ended leave nothing behind in their host."""
    handle = await workshop.started(bad_when_x("unreachable"), limits={"memory": "1MB"})
    sizes: list[int] = []
    for step in range(10_000):
        await handle.process_batch(batch("x"))
        if step % 100 == 99:
            gc.collect()
            sizes.append(resident_bytes())
    assert handle.replaced == 10_000
    early, late = sorted(sizes[10:30])[10], sorted(sizes[-20:])[10]
    assert late <= early * 1.02 + (2 << 20)


async def test_two_plugins_do_not_touch_each_other(workshop: Workshop) -> None:
    """While one guest is ended again and again, another works on as if it were alone."""
    bad = await workshop.started(bad_when_x("unreachable"))
    good = await workshop.started(_wat.text())
    for _ in range(20):
        await bad.process_batch(batch("x", "x"))
        outputs = await good.process_batch(batch("a"))
        assert {} == outputs.errors
    assert (0, 40) == (good.replaced, bad.replaced - 20)
