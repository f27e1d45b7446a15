"""A processor in another process: what it answers, and every way in which it may fail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.faults import PluginCrashed, PluginWornOut, StateLost
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdpplugin import Batch, Fatal, JsonPayloads, Retry
from tests.grpc.conftest import Workshop, batch, values

QUICK = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01, max_restarts=2)


class TestAnswers:
    @pytest.mark.parametrize("mode", ["plain", "streaming", "batching"])
    async def test_row_for_row(self, workshop: Workshop, mode: str) -> None:
        """Whatever calls a plugin offers, each row has its answer, in order."""
        handle = await workshop.raw(mode)
        outputs = await handle.process_batch(batch(*range(50)))
        assert list(range(50)) == values(outputs)
        assert list(range(50)) == list(outputs.parts[0].rows)

    async def test_nothing_in_nothing_out(self, workshop: Workshop) -> None:
        """An empty batch is answered without a call."""
        handle = await workshop.raw("streaming")
        assert () == (await handle.process_batch(batch())).parts

    async def test_many_at_once(self, workshop: Workshop) -> None:
        """Several calls may run at once; each gets its own answer, in whatever order they come."""
        handle = await workshop.raw("backwards")
        answers = await asyncio.gather(*(handle.process_batch(batch(n, n)) for n in range(10)))
        assert [[n, n] for n in range(10)] == [values(answer) for answer in answers]

    async def test_single_calls_say_by_status(self, workshop: Workshop) -> None:
        """A status of a single call is an instruction for its row alone."""
        handle = await workshop.raw("singles")
        kinds = ["T", "Bad", "Odd", "Again", "Stop", "Drop", "T"]
        outputs = await handle.process_batch(batch(*range(7), types=kinds))
        assert [0, 6] == values(outputs)
        assert [1, 2, 3, 4] == sorted(outputs.errors)
        assert "refused id-1" == str(outputs.errors[1])
        assert isinstance(outputs.errors[3], Retry)
        assert isinstance(outputs.errors[4], Fatal)

    async def test_an_integer_that_a_double_would_round(self, workshop: Workshop) -> None:
        """An integer beyond 2^53 in metadata fails its row in a single call, never rounded."""
        handle = await workshop.raw("plain")
        told = batch(1, 2).replace(metadata=[{"n": 2**53 + 1}, {"n": 2**53}])
        outputs = await handle.process_batch(told)
        assert [2] == values(outputs)
        assert "message.number_too_large" == outputs.errors[0].code

    async def test_a_bad_payload_fails_its_row_alone(self, workshop: Workshop) -> None:
        """A payload that is no JSON is an error of its row; the other rows are kept."""
        handle = await workshop.raw("not-json")
        outputs = await handle.process_batch(batch("good", "bad", "good"))
        assert {1: "message.payload_invalid"} == {r: e.code for r, e in outputs.errors.items()}


class TestSizes:
    async def test_a_batch_larger_than_a_message_is_cut(self, workshop: Workshop) -> None:
        """A batch beyond the limit goes in pieces and comes back as one answer."""
        handle = await workshop.raw("streaming", max_message_bytes=100_000)
        rows = [{"row": row, "pad": "x" * 5_000} for row in range(100)]
        outputs = await handle.process_batch(batch(*rows))
        assert rows == values(outputs)
        assert list(range(100)) == [row for part in outputs.parts for row in part.rows]

    @pytest.mark.parametrize("mode", ["plain", "streaming"])
    async def test_a_message_larger_than_the_limit(self, workshop: Workshop, mode: str) -> None:
        """A message beyond the limit is refused by name; its neighbours pass."""
        handle = await workshop.raw(mode, max_message_bytes=100_000)
        outputs = await handle.process_batch(batch("a", "x" * 200_000, "b"))
        assert ["a", "b"] == values(outputs)
        assert {1: "message.too_large"} == {r: e.code for r, e in outputs.errors.items()}

    async def test_a_message_of_100_mb(self, workshop: Workshop) -> None:
        """A message of 100 MB passes with the limits as they are."""
        handle = await workshop.raw("streaming")
        payload = b'"' + b"x" * 100_000_000 + b'"'
        outputs = await handle.process_batch(Batch(types="T", payloads=JsonPayloads([payload])))
        assert payload == outputs.parts[0].batch.payloads.json()[0]

    async def test_an_answer_larger_than_the_limit(self, workshop: Workshop) -> None:
        """An answer beyond the limit is a violation, of the batch that caused it."""
        handle = await workshop.raw("too-much", max_message_bytes=1_000_000)
        outputs = await handle.process_batch(batch(1, 2))
        assert {"plugin.protocol_violation"} == {e.code for e in outputs.errors.values()}
        assert "limit" in str(outputs.errors[0])


class TestNonsense:
    @pytest.mark.parametrize(
        "mode",
        [
            "unknown-rows",
            "many-rows",
            "uneven-columns",
            "garbage",
            "unknown-sequence",
        ],
    )
    async def test_is_a_violation(self, workshop: Workshop, mode: str) -> None:
        """An answer that does not fit the batch fails its rows, and names the protocol."""
        handle = await workshop.raw(mode)
        outputs = await handle.process_batch(batch(1, 2, 3))
        assert {0, 1, 2} == outputs.errors.keys()
        assert {"plugin.protocol_violation"} == {e.code for e in outputs.errors.values()}

    async def test_of_the_whole_alone(self, workshop: Workshop) -> None:
        """A batch that only as a whole is answered with nonsense is answered in parts."""
        handle = await workshop.raw("decreasing-rows")
        outputs = await handle.process_batch(batch(1, 2, 3))
        assert ([1, 2, 3], {}) == (values(outputs), dict(outputs.errors))

    async def test_a_broken_stream_costs_nothing(self, workshop: Workshop) -> None:
        """A batch whose stream breaks is asked alone, if the plugin lives."""
        handle = await workshop.raw("ends-stream")
        for _ in range(3):
            assert [1] == values(await handle.process_batch(batch(1)))


class TestDeath:
    async def test_is_told_and_mended(self, workshop: Workshop) -> None:
        """A message that ends the plugin says how; the next call finds a new process."""
        handle = await workshop.raw("dies-mid-batch", policy=QUICK)
        error = (await handle.process_batch(batch(1, types=["Poison"]))).errors[0]
        assert "plugin.crashed" == error.code
        assert "raw@1.0.0" in str(error)
        assert "signal 11 (SIGSEGV)" in str(error)
        assert "about to die" in str(error)
        assert [1] == values(await handle.process_batch(batch(1)))

    async def test_a_plugin_that_closes_its_socket(self, workshop: Workshop) -> None:
        """A plugin that lives and takes no connection any more is ended and started again."""
        handle = await workshop.raw("closes-socket", policy=QUICK)
        process = handle._life.current.instance.process
        outputs = await handle.process_batch(batch(1, 2, types=["T", "Close"]))
        assert [1] == values(outputs)
        assert "raw@1.0.0" in str(outputs.errors[1])
        assert "it takes no connections any more" in str(outputs.errors[1])
        assert process.ended.done()
        assert [1] == values(await handle.process_batch(batch(1)))

    async def test_is_not_a_refusal_of_a_busy_plugin(
        self, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A plugin that says `not now` and has no thread left for another call is alive."""
        asked, really = [], Connection.is_reachable

        async def is_reachable(connection: Connection, _timeout_s: float) -> bool:
            asked.append(await really(connection, 0.3))
            return asked[-1]

        monkeypatch.setattr(Connection, "is_reachable", is_reachable)
        busy = tmp_path / "busy"
        handle = await workshop.raw("singles-busy", str(busy))
        process = handle._life.current
        kinds = ["Again", "Slow"]
        call = asyncio.create_task(handle.process_batch(batch(1, 2, types=kinds)))
        async with asyncio.timeout(20):
            while not asked or not busy.exists():
                await asyncio.sleep(0.01)
            busy.unlink()
            outputs = await call
        assert [True] == asked
        assert {0: "not now"} == {row: str(error) for row, error in outputs.errors.items()}
        assert [2] == values(outputs)
        assert process is handle._life.current

    async def test_not_for_ever(self, workshop: Workshop) -> None:
        """A plugin that dies too often within the window is given up, cause named."""
        handle = await workshop.raw("dies-mid-batch", policy=QUICK)
        poison = [batch(1, types=["Poison"]).replace(ids=[f"id-{n}"]) for n in range(3)]
        for each in poison[:2]:
            assert (await handle.process_batch(each)).errors
        with pytest.raises(PluginWornOut) as caught:
            await handle.process_batch(poison[2])
        assert "raw@1.0.0" in str(caught.value)
        assert "SIGSEGV" in str(caught.value)

    async def test_state_is_not_made_up(self, workshop: Workshop) -> None:
        """A stateful plugin that dies ends the pipeline: its state is gone."""
        handle = await workshop.raw("dies-mid-batch", policy=QUICK, keys={"stateful": True})
        with pytest.raises(PluginCrashed):
            await handle.process_batch(batch(1, types=["Poison"]))
        with pytest.raises(StateLost):
            await handle.process_batch(batch(1))


class TestLateness:
    async def test_a_plugin_that_hangs(self, workshop: Workshop) -> None:
        """A message without an answer fails after its deadline; the process is replaced."""
        handle = await workshop.raw("hangs", timeout_s=0.5)
        outputs = await handle.process_batch(batch(1, types=["Slow"]))
        assert {0: "plugin.timeout"} == {r: e.code for r, e in outputs.errors.items()}
        assert "plugin `raw@1.0.0` did not answer a batch within 0.5 s" in str(outputs.errors[0])
        assert [1] == values(await handle.process_batch(batch(1)))

    async def test_a_plugin_that_grants_nothing(self, workshop: Workshop) -> None:
        """A plugin that never has room is as late as one that never answers."""
        handle = await workshop.raw("no-credits", timeout_s=0.3)
        outputs = await handle.process_batch(batch(1))
        assert {0: "plugin.timeout"} == {r: e.code for r, e in outputs.errors.items()}

    async def test_a_late_single_answer_fails_its_row_alone(self, workshop: Workshop) -> None:
        """In single calls the deadline is the message's own; the process stays."""
        handle = await workshop.raw("singles-hang", timeout_s=0.5)
        process = handle._life.current
        outputs = await handle.process_batch(batch(1, 2, 3, types=["T", "Slow", "T"]))
        assert [1, 3] == values(outputs)
        assert {1: "plugin.timeout"} == {r: e.code for r, e in outputs.errors.items()}
        assert process is handle._life.current

    async def test_an_answer_after_the_deadline(self, workshop: Workshop) -> None:
        """An answer that comes late is nobody's: not of its message, nor of a later one."""
        handle = await workshop.raw("singles-late", timeout_s=0.5)
        outputs = await handle.process_batch(batch("late", types=["Slow"]))
        assert {0: "plugin.timeout"} == {r: e.code for r, e in outputs.errors.items()}
        for n in range(3):
            assert [n, n] == values(await handle.process_batch(batch(n, n)))

    async def test_a_plugin_that_answers_nothing_any_more(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that does not even answer GetMetadata after a late answer is replaced."""
        monkeypatch.setattr("cdp_pipeline.runtimes.grpc.processor.HEALTH_S", 0.3)
        handle = await workshop.raw("deaf", timeout_s=0.5)
        outputs = await handle.process_batch(batch(1, types=["Slow"]))
        assert {0: "plugin.timeout"} == {r: e.code for r, e in outputs.errors.items()}
        assert [2] == values(await handle.process_batch(batch(2)))


class TestConfiguration:
    async def test_of_a_plugin_without_configure(self, workshop: Workshop) -> None:
        """A plugin that knows no Configure finds its configuration in PLUGIN_CONFIG."""
        handle = await workshop.raw("configured")
        assert [None] == values(await handle.process_batch(batch(1)))
        await handle.configure({"threshold": 5})
        assert [{"threshold": 5}] == values(await handle.process_batch(batch(1)))

    async def test_health(self, workshop: Workshop) -> None:
        """A plugin that cannot say how it is is healthy while it answers."""
        handle = await workshop.raw("plain")
        assert "healthy" == (await handle.health()).status
        handle._life.current.instance.kill()
        await handle._life.current.instance.ended
        assert "unhealthy" == (await handle.health()).status
