"""What a run promises: order, marks, policies, checkpoints, clean ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cdp_pipeline.runtimes.native import handle
from cdp_pipeline.testing import MemoryConsumer, ScriptedProcessor, ScriptedSource
from cdpplugin import (
    Base,
    Batch,
    Drop,
    Fatal,
    JsonPayloads,
    Message,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Resume,
    Retry,
    SourceBatch,
    processor,
)
from tests.engine.conftest import Bench, Limits, Policy, numbers


def values(consumer: MemoryConsumer) -> list[int]:
    return [json.loads(payload)["n"] for _, _, _, payload in consumer.rows]


class TestOrder:
    @pytest.mark.parametrize("workers", [1, 3])
    async def test_rows_leave_in_the_order_in_which_they_came(
        self, bench: Bench, workers: int
    ) -> None:
        """Order is kept whatever `workers` is, also when later batches finish first."""

        class Uneven(Base):
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("uneven", "1.0.0", "processor")

            async def process_batch(self, batch: Batch) -> Outputs:
                first = batch.payloads.value(0)["n"]
                for _ in range(40 - first % 40):
                    await asyncio.sleep(0)
                return Outputs.each(batch)

        consumer = MemoryConsumer()
        source = ScriptedSource(numbers(1, 200))
        await bench.run(source, Uneven(), consumer, workers=workers, limits=Limits(rows=7))

        assert list(range(1, 201)) == values(consumer)
        assert sorted(consumer.marks) == consumer.marks

    async def test_batches_keep_within_their_limits(self, bench: Bench) -> None:
        """No batch handed to a stage holds more rows than its limit."""
        seen = ScriptedProcessor(lambda batch: batch)
        await bench.run(ScriptedSource(numbers(1, 100, per_batch=33)), seen, limits=Limits(rows=8))

        assert max(len(batch) for batch in seen.calls) <= 8
        assert sum(len(batch) for batch in seen.calls) == 100

    async def test_a_batch_is_cut_by_bytes(self, bench: Bench) -> None:
        """A batch holds no more bytes than its limit, a single larger row goes alone."""
        rows = Batch.of("Text", ["x" * 1000] * 10)
        seen = ScriptedProcessor(lambda batch: batch)
        source = ScriptedSource([SourceBatch(rows, list(range(10)))])
        await bench.run(source, seen, limits=Limits(size_bytes=3000))

        assert {2} == {len(batch) for batch in seen.calls}


class TestMarks:
    async def test_a_run_that_drops_everything_still_advances(self, bench: Bench) -> None:
        """Marks move on without rows, and so does the checkpoint."""
        nothing = ScriptedProcessor(lambda batch: Outputs())
        consumer = MemoryConsumer()
        await bench.run(ScriptedSource(numbers(1, 50)), nothing, consumer)

        assert consumer.rows == []
        assert bench.position == 50

    async def test_outputs_carry_the_position_of_their_input(self, bench: Bench) -> None:
        """An output's position is that of the row it derives from."""

        def twice(batch: Batch) -> Outputs:
            rows = [row for row in range(len(batch)) for _ in range(2)]
            return Outputs((OutputPart(batch.take(rows), rows),))

        consumer = MemoryConsumer()
        await bench.run(ScriptedSource(numbers(1, 3)), ScriptedProcessor(twice), consumer)

        assert [position for position, *_ in consumer.rows] == [1, 1, 2, 2, 3, 3]

    async def test_a_tap_gets_what_the_next_stage_gets(self, bench: Bench) -> None:
        """A consumer inside the pipeline changes nothing for the stages after it."""

        @processor("double", "1.0.0")
        def double(message: Message) -> Message:
            message.payload["n"] *= 2
            return message

        tap, end = MemoryConsumer(), MemoryConsumer()
        await bench.run(ScriptedSource(numbers(1, 5)), tap, handle(double), end)

        assert values(tap) == [1, 2, 3, 4, 5]
        assert values(end) == [2, 4, 6, 8, 10]

    async def test_the_checkpoint_waits_for_the_slowest_consumer(self, bench: Bench) -> None:
        """A position is checkpointed only when every consumer is durable through it."""
        quick = MemoryConsumer()
        stuck = MemoryConsumer([Fatal("full")])
        outcome = await bench.run(ScriptedSource(numbers(1, 30)), quick, stuck)

        assert len(outcome.failures) == 1
        assert bench.position in (None, -1)


class TestIds:
    async def test_ids_do_not_depend_on_how_batches_are_cut(self, bench: Bench) -> None:
        """An output without an id gets the same one in every run."""

        @processor("fresh", "1.0.0")
        def fresh(message: Message) -> list[Message]:
            return [Message(type="A", payload=1), Message(type="A", payload=2)]

        found = []
        for rows in (1, 7, 100):
            consumer = MemoryConsumer()
            source = ScriptedSource(numbers(1, 20))
            pipeline = bench.pipeline(source, handle(fresh), consumer, limits=Limits(rows=rows))
            await pipeline.run()
            bench.store.remove()
            found.append([identity for _, _, identity, _ in consumer.rows])

        assert found[0] == found[1] == found[2]
        assert len(set(found[0])) == 40

    async def test_an_authors_id_is_kept(self, bench: Bench) -> None:
        """A message that is passed on, or has an id of its own, keeps it."""
        consumer = MemoryConsumer()
        await bench.run(ScriptedSource(numbers(1, 2)), handle(_passing), consumer)

        assert [identity for _, _, identity, _ in consumer.rows] == ["n:1", "n:2"]


@processor("passing", "1.0.0")
def _passing(message: Message) -> Message:
    message.payload["seen"] = True
    return message


def _odd_fails(error: Exception) -> Any:
    @processor("odd-fails", "1.0.0")
    def odd_fails(message: Message) -> Message:
        if message.payload["n"] % 2:
            raise error
        return message

    return handle(odd_fails)


class TestPolicies:
    async def test_fail_keeps_what_came_before(self, bench: Bench) -> None:
        """A failing row stops the run; what came before it is durable and checkpointed."""

        @processor("at-25", "1.0.0")
        def at_25(message: Message) -> Message:
            if message.payload["n"] == 25:
                raise ValueError("25 is not welcome")
            return message

        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(1, 50)), handle(at_25), consumer, limits=Limits(rows=10)
        )

        [failure] = outcome.failures
        assert failure.position == 25
        assert "25 is not welcome" in str(failure.error)
        assert list(range(1, 25)) == values(consumer)
        assert bench.position == 24

    async def test_drop_counts_what_it_drops(self, bench: Bench) -> None:
        """Dropped rows are gone, counted by the error's code, and their neighbours pass."""
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(1, 10)),
            _odd_fails(PluginError("no", code="odd.refused")),
            consumer,
            policy=Policy("drop"),
        )

        assert outcome.failures == []
        assert values(consumer) == [2, 4, 6, 8, 10]
        assert bench.statistics.stages[0].drop_reasons == {"error: odd.refused": 5}

    async def test_a_dead_letter_tells_everything(self, bench: Bench) -> None:
        """A dead letter holds the message, its position, the error and who raised it."""
        await bench.run(
            ScriptedSource(numbers(3, 4)),
            _odd_fails(PluginError("no", code="odd.refused", hint="send even numbers")),
            MemoryConsumer(),
            policy=Policy("dead_letter"),
        )
        [letter] = map(json.loads, bench.dead_letters.path.read_text().splitlines())

        assert (letter["id"], letter["type"], letter["position"]) == ("n:3", "Number", 3)
        assert letter["payload"] == {"n": 3}
        assert letter["error"] == {
            "code": "odd.refused",
            "message": "no",
            "hint": "send even numbers",
        }
        assert (letter["stage"], letter["plugin"]) == ("stage-0", "odd-fails@1.0.0")

    async def test_a_replay_doubles_no_dead_letter(self, bench: Bench) -> None:
        """Letters after the resume position are cut off before the replay writes them."""
        for _ in range(2):
            bench.dead_letters.cut_after(3)
            await bench.run(
                ScriptedSource(numbers(1, 6)),
                _odd_fails(PluginError("no")),
                MemoryConsumer(),
                policy=Policy("dead_letter"),
                resume=None,
            )
            bench.store.remove()
        positions = [
            json.loads(line)["position"]
            for line in bench.dead_letters.path.read_text().splitlines()
        ]

        assert positions == [1, 3, 1, 3, 5]

    async def test_retry_repeats_only_the_failed_rows(self, bench: Bench) -> None:
        """A row that asks for a retry is tried again; order and neighbours are kept."""
        tries: dict[int, int] = {}

        @processor("flaky", "1.0.0")
        def flaky(message: Message) -> Message:
            n = message.payload["n"]
            tries[n] = tries.get(n, 0) + 1
            if n in (2, 5) and tries[n] < 3:
                raise Retry("not yet")
            return message

        consumer = MemoryConsumer()
        outcome = await bench.run(ScriptedSource(numbers(1, 6)), handle(flaky), consumer)

        assert outcome.failures == []
        assert values(consumer) == [1, 2, 3, 4, 5, 6]
        assert tries == {1: 1, 2: 3, 3: 1, 4: 1, 5: 3, 6: 1}

    async def test_then_decides_when_retries_are_used_up(self, bench: Bench) -> None:
        """After the last repetition the policy's `then` is carried out."""
        consumer = MemoryConsumer()
        outcome = await bench.run(
            ScriptedSource(numbers(1, 4)),
            _odd_fails(ValueError("never")),
            consumer,
            policy=Policy("retry", attempts=2, then="dead_letter"),
        )

        assert outcome.failures == []
        assert values(consumer) == [2, 4]
        assert bench.statistics.stages[0].retried == 4
        assert bench.statistics.stages[0].dead_lettered == 2

    async def test_drop_is_never_an_error(self, bench: Bench) -> None:
        """`Drop` leaves a row out under any policy and counts its reason."""
        consumer = MemoryConsumer()
        outcome = await bench.run(ScriptedSource(numbers(1, 4)), _odd_fails(Drop("odd")), consumer)

        assert outcome.failures == []
        assert bench.statistics.stages[0].drop_reasons == {"odd": 2}
        assert bench.statistics.stages[0].failed == 0

    async def test_fatal_stops_under_any_policy(self, bench: Bench) -> None:
        """`Fatal` stops the run even where the policy would drop."""
        outcome = await bench.run(
            ScriptedSource(numbers(1, 4)),
            _odd_fails(Fatal("stop")),
            MemoryConsumer(),
            policy=Policy("drop"),
        )

        assert [str(failure.error) for failure in outcome.failures] == ["stop"]

    async def test_a_batch_function_that_fails_loses_only_the_bad_row(self, bench: Bench) -> None:
        """A batch that fails as a whole is halved until the bad row stands alone."""

        @processor("bulk", "1.0.0", batch=True)
        def bulk(batch: Batch) -> Batch:
            if any(b'"n":7' in payload for payload in batch.payloads.json()):
                raise ValueError("7")
            return batch

        consumer = MemoryConsumer()
        await bench.run(
            ScriptedSource(numbers(1, 9)), handle(bulk), consumer, policy=Policy("drop")
        )

        assert values(consumer) == [1, 2, 3, 4, 5, 6, 8, 9]


class TestConsumers:
    async def test_a_delivery_is_repeated_until_it_is_taken(self, bench: Bench) -> None:
        """`Retry` from a consumer repeats the same delivery: nothing lost, nothing doubled."""
        consumer = MemoryConsumer([Retry("busy"), Retry("busy")])
        outcome = await bench.run(ScriptedSource(numbers(1, 10)), consumer)

        assert outcome.failures == []
        assert list(range(1, 11)) == values(consumer)

    async def test_what_is_buffered_is_flushed_at_the_end(self, bench: Bench) -> None:
        """The end of the stream flushes every consumer before the last checkpoint."""
        await bench.run(ScriptedSource(numbers(1, 10)), MemoryConsumer(buffered=True))

        assert bench.position == 10

    async def test_a_bad_row_is_found_by_halving(self, bench: Bench) -> None:
        """Under `dead_letter` a consumer loses only the row it cannot take."""

        class Picky(MemoryConsumer):
            async def consume(self, delivery: Any) -> int | None:
                if 4 in delivery.positions:
                    raise PluginError("no fours")
                return await super().consume(delivery)

        picky = Picky()
        await bench.run(ScriptedSource(numbers(1, 9)), picky, policy=Policy("dead_letter"))

        assert values(picky) == [1, 2, 3, 5, 6, 7, 8, 9]
        assert bench.position == 9


class TestSource:
    async def test_a_source_is_read_again_after_retry(self, bench: Bench) -> None:
        """A source that asks for a retry goes on after the last row read."""
        first, second = numbers(1, 20)
        source = ScriptedSource([first, Retry("connection lost"), second])
        consumer = MemoryConsumer()
        outcome = await bench.run(source, consumer)

        assert outcome.failures == []
        assert [None, Resume(10, b"10")] == source.resumes
        assert list(range(1, 21)) == values(consumer)

    async def test_rows_that_come_again_are_left_out(self, bench: Bench) -> None:
        """Rows at or before the resume position are dropped, however the source cuts."""
        consumer = MemoryConsumer()
        source = ScriptedSource(numbers(1, 30, per_batch=30))
        await bench.run(source, consumer, resume=Resume(12))

        assert list(range(13, 31)) == values(consumer)

    async def test_what_was_read_before_an_error_is_kept(self, bench: Bench) -> None:
        """A source that fails stops the run after everything it gave is durable."""
        source = ScriptedSource([*numbers(1, 10), PluginError("gap", code="lake.gap")])
        outcome = await bench.run(source, MemoryConsumer())

        assert [failure.error.code for failure in outcome.failures] == ["lake.gap"]
        assert bench.position == 10

    async def test_durable_positions_are_acknowledged(self, bench: Bench) -> None:
        """The source learns what is durable, after the checkpoint is written."""
        source = ScriptedSource(numbers(1, 10))
        await bench.run(source, MemoryConsumer())

        assert source.acknowledged[-1] == 10

    async def test_a_position_that_goes_back_is_refused(self, bench: Bench) -> None:
        """A source whose positions decrease is at fault, and is told so."""
        late, early = numbers(10, 15)[0], numbers(4, 8)[0]
        open_ended = SourceBatch(late.batch, late.positions, completed_through=3)
        outcome = await bench.run(ScriptedSource([open_ended, early]), MemoryConsumer())

        assert [f.error.code for f in outcome.failures] == ["source.position_decreased"]


class TestTypes:
    async def test_types_that_a_plugin_does_not_take_pass_by_it(self, bench: Bench) -> None:
        """A plugin sees only its `input_types`; other messages go on as they came."""

        @processor("letters", "1.0.0", input_types=["Letter"])
        def letters(message: Message) -> Message:
            message.payload["n"] += 100
            return message

        mixed = Batch(
            types=["Letter", "Number", "Letter", "Number"],
            payloads=JsonPayloads.of([{"n": n} for n in range(4)]),
        )
        consumer = MemoryConsumer()
        source = ScriptedSource([SourceBatch(mixed, [1, 1, 2, 2])])
        await bench.run(source, handle(letters), consumer, takes=frozenset({"Letter"}))
        found = {(p, kind, json.loads(payload)["n"]) for p, kind, _, payload in consumer.rows}

        assert {(1, "Letter", 100), (1, "Number", 1), (2, "Letter", 102), (2, "Number", 3)} == found

    async def test_rows_without_an_answer_are_counted(self, bench: Bench) -> None:
        """A row for which a plugin returns nothing is counted as dropped."""

        @processor("evens", "1.0.0")
        def evens(message: Message) -> Message | None:
            return None if message.payload["n"] % 2 else message

        await bench.run(ScriptedSource(numbers(1, 10)), handle(evens), MemoryConsumer())

        assert {"no output": 5} == bench.statistics.stages[0].drop_reasons


class TestPause:
    async def test_nothing_is_let_in(self, bench: Bench) -> None:
        """While a run is paused no row arrives; afterwards each arrives once, in order."""
        consumer = MemoryConsumer()
        pipeline = bench.pipeline(ScriptedSource(numbers(1, 100)), consumer)
        pipeline.pause()
        running = asyncio.create_task(pipeline.run())
        for _ in range(100):
            await asyncio.sleep(0)
        assert ([], True) == (consumer.rows, pipeline.is_paused)
        pipeline.resume()
        await asyncio.wait_for(running, 10)
        assert list(range(1, 101)) == values(consumer)

    async def test_a_stop_ends_it(self, bench: Bench) -> None:
        """A paused run that is stopped ends; what was not let in is read by the next run."""
        pipeline = bench.pipeline(ScriptedSource(numbers(1, 100)), MemoryConsumer())
        told: list[bool] = []
        pipeline.on_stop = lambda: told.append(pipeline.is_stopping)
        pipeline.pause()
        running = asyncio.create_task(pipeline.run())
        pipeline.stop()
        outcome = await asyncio.wait_for(running, 10)
        assert [True] == told
        assert (True, []) == (outcome.stopped, outcome.failures)
        assert bench.position in (None, -1)


class TestStop:
    async def test_stop_ends_the_wait_for_a_retry(self, bench: Bench) -> None:
        """A stop request is not held up by a stage that waits; the row comes again."""

        @processor("stuck", "1.0.0")
        def stuck(message: Message) -> Message:
            raise Retry("the service is away", after_s=3600.0)

        consumer = MemoryConsumer()
        pipeline = bench.pipeline(ScriptedSource(numbers(1, 5)), handle(stuck), consumer)
        running = asyncio.create_task(pipeline.run())
        while not pipeline.statistics.stages[0].retried:
            await asyncio.sleep(0.001)
        pipeline.stop()
        outcome = await asyncio.wait_for(running, 10)

        assert ["the service is away"] == [str(f.error) for f in outcome.failures]
        assert bench.position in (None, -1, 0)

    async def test_stop_drains(self, bench: Bench) -> None:
        """After `stop` everything that was read is durable and checkpointed."""
        consumer = MemoryConsumer()

        class Endless(Base):
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("endless", "1.0.0", "source")

            async def acknowledge(self, completed_through: int) -> None:
                pass

            async def read(self, after: Resume | None) -> Any:
                position = 0
                while True:
                    position += 1
                    yield SourceBatch(Batch.of("Number", [{"n": position}]), [position])
                    await asyncio.sleep(0)

        pipeline = bench.pipeline(Endless(), consumer)
        running = asyncio.create_task(pipeline.run())
        while len(consumer.rows) < 100:
            await asyncio.sleep(0)
        pipeline.stop()
        outcome = await running

        assert outcome.stopped
        assert outcome.failures == []
        assert bench.position == consumer.rows[-1][0] == pipeline.statistics.position
