"""A message that ends its plugin, or hangs it, costs nobody but itself an answer."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc.faults import (
    MessageAtFault,
    PluginCrashed,
    PluginTimeout,
    PluginWornOut,
)
from cdp_pipeline.runtimes.grpc.isolation import Isolation
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdp_pipeline.runtimes.grpc.search import FAN_OUT, KILLS, MOST_FAILED
from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedSource
from cdpplugin import Batch, Delivery, OutputPart, Outputs, Retry
from tests.engine.conftest import Bench, Policy, numbers
from tests.engine.conftest import Limits as BatchLimits
from tests.grpc.conftest import Lines, Workshop, batch, values

QUICK = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01, max_restarts=2)
TIMEOUT_S = 1.0
"""Long enough for a loaded machine to answer one message."""


def kinds(rows: int, kind: str, *at: int) -> Batch:
    """Numbers, those *at* of type *kind*."""
    return batch(*range(rows), types=[kind if row in at else "T" for row in range(rows)])


def ends(file: Path) -> list[int]:
    """How many rows the batches had that ended a plugin."""
    return [int(line) for line in file.read_text().splitlines()]


class TestKills:
    @pytest.mark.parametrize("at", [(0,), (20,), (39,), (0, 39), (7, 8)])
    async def test_cost_their_rows_alone(
        self, workshop: Workshop, tmp_path: Path, at: tuple[int, ...]
    ) -> None:
        """Wherever in a batch the messages are that end the plugin, all others are answered."""
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        outputs = await handle.process_batch(kinds(40, "Poison", *at))

        assert [n for n in range(40) if n not in at] == values(outputs)
        assert list(at) == sorted(outputs.errors)
        assert {"plugin.crashed"} == {error.code for error in outputs.errors.values()}
        assert not any(isinstance(error, Retry) for error in outputs.errors.values())
        assert "`raw@1.0.0` exited with status 4" in str(outputs.errors[at[0]])
        assert len(at) * KILLS == ends(tmp_path / "ends").count(1)
        assert len(ends(tmp_path / "ends")) <= 2 + 4 * len(at)

    async def test_of_one_message(self, workshop: Workshop, tmp_path: Path) -> None:
        """A message by itself is at fault when it has ended the plugin twice alone."""
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        outputs = await handle.process_batch(kinds(1, "Poison", 0))
        assert {0: MessageAtFault} == {row: type(e) for row, e in outputs.errors.items()}
        assert [1] * (1 + KILLS) == ends(tmp_path / "ends")
        assert [5] == values(await handle.process_batch(batch(5)))

    async def test_in_single_calls(self, workshop: Workshop) -> None:
        """A plugin that knows only Process is no exception."""
        handle = await workshop.raw("exits-singly", policy=QUICK)
        outputs = await handle.process_batch(kinds(30, "Poison", 12))
        assert [n for n in range(30) if n != 12] == values(outputs)
        assert {12: "plugin.crashed"} == {row: e.code for row, e in outputs.errors.items()}

    async def test_among_batches_in_flight(self, workshop: Workshop, tmp_path: Path) -> None:
        """Of several batches in flight only the guilty one is divided."""
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        poison = [kinds(20, "Poison", *([3] if number == 2 else [])) for number in range(5)]
        answers = await asyncio.gather(*map(handle.process_batch, poison))
        assert [{}, {}, {3: "plugin.crashed"}, {}, {}] == [
            {row: error.code for row, error in answer.errors.items()} for answer in answers
        ]
        assert [20, 20, 19, 20, 20] == [len(values(answer)) for answer in answers]
        assert len(ends(tmp_path / "ends")) <= 6

    async def test_do_not_wear_the_plugin_out(self, workshop: Workshop, tmp_path: Path) -> None:
        """Deaths by messages that were found do not count: the plugin itself is well."""
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        for _ in range(5):
            outputs = await handle.process_batch(kinds(3, "Poison", 1))
            assert [1] == list(outputs.errors)

    async def test_repeated_do_not_wear_the_plugin_out(
        self, workshop: Workshop, tmp_path: Path
    ) -> None:
        """A policy may repeat a message at fault as often as it says, and then do the rest."""
        bench = Bench(tmp_path)
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        [found] = numbers(0, 9)
        types = ["Poison" if n == 5 else "Number" for n in range(10)]
        script = [replace(found, batch=found.batch.replace(types=types))]
        consumer, policy = MemoryConsumer(), Policy("retry", attempts=4, then="dead_letter")
        outcome = await bench.run(ScriptedSource(script), handle, consumer, policy=policy)
        assert [] == outcome.failures
        assert 9 == len(consumer.rows)
        assert 1 == len(bench.dead_letters.path.read_text().splitlines())


class TestChance:
    async def test_one_death_is_no_proof(self, workshop: Workshop, tmp_path: Path) -> None:
        """What dies once, with whatever message, is asked again, and everything is answered."""
        handle = await workshop.raw("dies-once", str(tmp_path / "died"), policy=QUICK)
        outputs = await handle.process_batch(batch(1))
        assert ([1], {}) == (values(outputs), dict(outputs.errors))

    async def test_a_plugin_that_answers_nothing(self, workshop: Workshop, tmp_path: Path) -> None:
        """A plugin that dies of everything is at fault itself: it is soon given up."""
        handle = await workshop.raw("answers-nothing", str(tmp_path / "ends"), policy=QUICK)
        for _ in range(3):
            with pytest.raises(PluginCrashed, match="exited with status 5"):
                await handle.process_batch(batch(*range(1000)))
        with pytest.raises(PluginWornOut):
            await handle.process_batch(batch(*range(1000)))
        assert [1000, 1000, *[1] * 3 * KILLS, 1000, 1000] == ends(tmp_path / "ends")


class TestNonsense:
    async def test_costs_its_rows_alone(self, workshop: Workshop) -> None:
        """A message that is answered with nonsense is an error by itself; the process stays."""
        handle = await workshop.raw("nonsense")
        process = handle._life.current
        outputs = await handle.process_batch(kinds(40, "Odd", 0, 33))
        assert [n for n in range(40) if n not in (0, 33)] == values(outputs)
        assert dict.fromkeys([0, 33], "plugin.protocol_violation") == {
            row: error.code for row, error in outputs.errors.items()
        }
        assert process is handle._life.current

    async def test_of_a_batch_whose_answer_is_too_large(self, workshop: Workshop) -> None:
        """A batch whose answers together exceed the limit is answered in parts."""
        handle = await workshop.raw("enlarges", max_message_bytes=200_000)
        outputs = await handle.process_batch(batch(*range(50)))
        assert {} == dict(outputs.errors)
        assert ["x" * 10_000] * 50 == values(outputs)


class TestHangs:
    @pytest.mark.parametrize("at", [(0,), (11,), (23,), (5, 17)])
    async def test_cost_their_rows_alone(self, workshop: Workshop, at: tuple[int, ...]) -> None:
        """A message on which the plugin hangs is late by itself; all others are answered."""
        handle = await workshop.raw("hangs", timeout_s=TIMEOUT_S / 4)
        outputs = await handle.process_batch(kinds(24, "Slow", *at))
        assert [n for n in range(24) if n not in at] == values(outputs)
        assert dict.fromkeys(at, "plugin.timeout") == {
            row: error.code for row, error in outputs.errors.items()
        }
        assert "`raw@1.0.0` did not answer" in str(outputs.errors[at[0]])

    async def test_a_slow_batch_is_no_message_at_fault(self, workshop: Workshop) -> None:
        """Where only the whole batch is too slow, its parts are answered and nothing fails."""
        handle = await workshop.raw("slow-batches", timeout_s=TIMEOUT_S / 20)
        outputs = await handle.process_batch(batch(*range(100)))
        assert (list(range(100)), {}) == (values(outputs), dict(outputs.errors))

    async def test_a_plugin_that_never_answers(self, workshop: Workshop) -> None:
        """A plugin that hangs on everything is late with everything."""
        handle = await workshop.raw("no-credits", timeout_s=TIMEOUT_S / 4)
        with pytest.raises(PluginTimeout, match="raw@"):
            await handle.process_batch(batch(*range(10)))


class Killing(MemoryConsumer):
    """A consumer that kills the plugin before it at some of its deliveries."""

    def __init__(self, handle: Any, *at: int) -> None:
        super().__init__()
        self._handle = handle
        self._at = list(at)

    async def consume(self, delivery: Delivery) -> int | None:
        while self._at and delivery.completed_through >= self._at[0]:
            del self._at[0]
            os.kill(self._handle._life.current.instance.process.pid, signal.SIGKILL)
        return await super().consume(delivery)


class TestPipeline:
    @pytest.mark.parametrize("workers", [1, 4])
    async def test_kills_from_outside(
        self, workshop: Workshop, tmp_path: Path, workers: int
    ) -> None:
        """A healthy plugin that somebody kills loses and doubles nothing, and none is set aside."""
        bench = Bench(tmp_path)
        handle = await workshop.raw("streaming", policy=RestartPolicy(initial_delay_s=0.01))
        consumer = Killing(handle, 50, 300, 550)
        outcome = await bench.run(
            ScriptedSource(numbers(0, 799, per_batch=40)),
            handle,
            consumer,
            policy=Policy("dead_letter"),
            workers=workers,
            limits=BatchLimits(rows=20),
        )
        assert [] == outcome.failures
        assert list(range(800)) == [json.loads(payload)["n"] for *_, payload in consumer.rows]
        assert not bench.dead_letters.path.exists()

    @pytest.mark.parametrize("workers", [1, 4])
    async def test_messages_at_fault_are_set_aside(
        self, workshop: Workshop, tmp_path: Path, workers: int
    ) -> None:
        """Under `dead_letter` exactly the messages at fault are set aside, at once."""
        bench, at = Bench(tmp_path), (0, 121, 122, 199)
        handle = await workshop.raw("exits", str(tmp_path / "ends"), policy=QUICK)
        script = []
        for found in numbers(0, 199, per_batch=50):
            types = ["Poison" if n in at else "Number" for n in found.positions]
            script.append(replace(found, batch=found.batch.replace(types=types)))
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(script), handle, consumer, policy=Policy("dead_letter"), workers=workers
        )
        assert [] == outcome.failures
        taken = [json.loads(payload)["n"] for *_, payload in consumer.rows]
        assert [n for n in range(200) if n not in at] == taken
        letters = bench.dead_letters.path.read_text().splitlines()
        assert {f"n:{n}" for n in at} == {json.loads(line)["id"] for line in letters}
        assert len(at) == len(letters)


class Mortal:
    """A plugin that dies of some messages; it counts how often, and who asks together."""

    def __init__(self, *deadly: int, timeout: bool = False) -> None:
        self.deadly = set(deadly)
        self.ended = 0
        self.asking = 0
        self.was_pardoned: list[int] = []
        self.was_excused: list[int] = []
        self.fault = PluginTimeout("late") if timeout else PluginCrashed("dead")

    async def instance(self) -> int:
        return self.ended

    async def ask(self, instance: int, batch: Batch) -> Outputs:
        self.asking += 1
        await asyncio.sleep(0)
        self.asking -= 1
        if instance != self.ended:
            raise PluginCrashed("dead already")
        rows = {batch.payloads.value(row) for row in range(len(batch))}
        if self.deadly & rows:
            self.ended += 1
            raise self.fault
        return Outputs((OutputPart(batch, range(len(batch))),))

    def pardon(self, instance: int) -> None:
        assert 0 == self.asking, "a probe is never asked beside another batch"
        self.was_pardoned.append(instance)

    def excuse(self, instance: int) -> None:
        self.was_excused.append(instance)


class TestSearch:
    @pytest.mark.parametrize("timeout", [False, True])
    @pytest.mark.parametrize("seed", range(10))
    async def test_settles_every_row(self, seed: int, timeout: bool) -> None:
        """Whatever messages end a plugin, each row has its answer, in order, or its error."""
        chance = random.Random(seed)
        rows = chance.choice([1, 2, 3, 4, 17, 100, 1000])
        deadly = chance.sample(range(rows), min(rows - 1, chance.randrange(3)))
        mortal = Mortal(*deadly, timeout=timeout)
        outputs = await Isolation(mortal, Lines()).answer(batch(*range(rows)))
        assert sorted(deadly) == sorted(outputs.errors)
        assert [row for row in range(rows) if row not in deadly] == values(outputs)
        assert values(outputs) == [row for part in outputs.parts for row in part.rows]

    async def test_takes_few_instances(self) -> None:
        """One message in 1000 is found in two steps beyond the batch itself."""
        mortal = Mortal(333)
        await Isolation(mortal, Lines()).answer(batch(*range(1000)))
        assert 1000 <= FAN_OUT**3
        assert 2 + 2 + KILLS == mortal.ended
        assert [0] == mortal.was_excused
        assert list(range(1, mortal.ended)) == mortal.was_pardoned

    async def test_ends(self) -> None:
        """Where too many messages are at fault, the rest is left to be asked again, row by row."""
        mortal = Mortal(*range(1, 999, 2))
        outputs = await Isolation(mortal, Lines()).answer(batch(*range(1000)))
        assert mortal.ended <= 1 + MOST_FAILED + KILLS
        assert 1000 == len(values(outputs)) + len(outputs.errors)
        unsettled = [row for row, error in outputs.errors.items() if isinstance(error, Retry)]
        settled = outputs.errors.keys() - unsettled
        assert unsettled
        assert settled <= mortal.deadly

    async def test_asks_nobody_beside_a_suspect(self) -> None:
        """While a suspect is asked alone, batches that come later wait."""
        mortal = Mortal(5, 25)
        isolation = Isolation(mortal, Lines())
        tens = [batch(*range(first, first + 10)) for first in range(0, 100, 10)]
        answers = await asyncio.gather(*map(isolation.answer, tens))
        assert [0, 2] == [number for number, answer in enumerate(answers) if answer.errors]

    async def test_of_a_plugin_that_answers_nothing(self) -> None:
        """First, middle and last row are tried alone; where none passes, no row is to blame."""
        mortal = Mortal(*range(1000))
        isolation = Isolation(mortal, Lines())
        with pytest.raises(PluginCrashed):
            await isolation.answer(batch(*range(1000)))
        assert 2 + 3 * KILLS == mortal.ended
        with pytest.raises(PluginCrashed):
            await isolation.answer(batch(*range(1000)))
        assert 3 + 3 * KILLS == mortal.ended
        assert [] == mortal.was_excused
