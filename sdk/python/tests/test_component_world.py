"""The functions of a component, called natively: the same code, without WebAssembly."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import cdpplugin
from cdpplugin import (
    Base,
    Batch,
    ConfigInvalid,
    Context,
    Delivery,
    Drop,
    Fatal,
    HealthStatus,
    Message,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Retry,
    consumer,
    processor,
)
from cdpplugin.component import World, exports_of
from cdpplugin.function import FunctionProcessor

METADATA = PluginMetadata("p", "1.0.0")


class Refused(Exception):
    """Stands for the exception by which a component answers with an error."""


def world(plugin: Any) -> World:
    return World(plugin, Refused)


def of(function: Callable[..., Any], *, batch: bool = False) -> World:
    return world(FunctionProcessor(METADATA, function, batch=batch))


def text(identity: str, payload: Any = None, **members: Any) -> str:
    """A message as the host writes it."""
    source = {"name": "galexie", "network": "pubnet", "uri": ""}
    held = {"id": identity, "type": "T", "payload": payload, "metadata": {}, "source": source}
    return json.dumps(held | {"trace_id": "t", "content_type": "application/json"} | members)


def array(*texts: str) -> str:
    return f"[{','.join(texts)}]"


def answers(held: World, *texts: str) -> list[Any]:
    """The answers to many messages."""
    found: list[Any] = json.loads(held.process_batch(array(*texts)))
    return found


def answer(held: World, *payloads: Any) -> list[Any]:
    """The answers to messages with these payloads, with the ids m0, m1, ..."""
    return answers(held, *(text(f"m{row}", payload) for row, payload in enumerate(payloads)))


def refusal(call: Callable[..., str], *arguments: str) -> Mapping[str, Any]:
    """What *call* answers with instead."""
    with pytest.raises(Refused) as raised:
        call(*arguments)
    told: Mapping[str, Any] = json.loads(str(raised.value))
    return told


class Whole(Base):
    """A plugin with every method of the contract."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            "whole",
            "1.2.3",
            input_types=("A",),
            config_schema={"type": "object"},
            input_encoding="sep51",
            stateful=True,
        )

    def configure(self, config: Mapping[str, Any]) -> None:  # type: ignore[override]
        if "bad" in config:
            raise ConfigInvalid("unknown key `bad`", hint="remove it")
        self.seen.append(dict(config))

    async def start(self, context: Context) -> None:
        if context.stage == "broken":
            raise RuntimeError("no way")
        self.seen.append(context)

    async def stop(self) -> None:
        self.seen.append("stop")

    async def health(self) -> HealthStatus:
        if "ill" in self.seen:
            raise RuntimeError("cannot say")
        return HealthStatus("degraded", "slow", {"n": 2**70})

    def export_state(self) -> bytes:
        return b"\xff\x00state"

    def import_state(self, state: bytes) -> None:
        self.seen.append(state)

    def process_batch(self, batch: Batch) -> Outputs:
        assert "sep51" == batch.payloads.encoding
        return Outputs.each(batch)


class TestLife:
    def test_who_it_is(self) -> None:
        """The metadata say everything, also with what they were built, by the ABI's names."""
        told = json.loads(world(Whole()).metadata())
        assert ("whole", "1.2.3", "processor", ["A"], True, "sep51") == tuple(
            told[name]
            for name in ("name", "version", "type", "input_types", "stateful", "input_encoding")
        )
        assert ({"type": "object"}, 1) == (told["config_schema"], told["abi"])
        assert f"python/{cdpplugin.__version__}" == told["sdk"]

    def test_what_it_is_told(self) -> None:
        """Configuration and context reach the plugin, exact in every number."""
        plugin = Whole()
        held = world(plugin)
        assert ("", "") == (
            held.configure('{"n": 12345678901234567890123}'),
            held.start('{"pipeline":"p","stage":"s","network":"x","schemas":{"T":{}}}'),
        )
        assert "" == held.stop()
        context = Context("p", "s", "x", {"T": {}})
        assert [{"n": 12345678901234567890123}, context, "stop"] == plugin.seen

    def test_a_configuration_that_is_refused(self) -> None:
        """`ConfigInvalid` arrives as the instruction that it is, with its hint."""
        assert {
            "code": "plugin.config_invalid",
            "message": "unknown key `bad`",
            "hint": "remove it",
            "instruction": "invalid",
        } == refusal(world(Whole()).configure, '{"bad": 1}')

    @pytest.mark.parametrize("config", ["[]", "1", "{"])
    def test_a_configuration_that_is_no_object(self, config: str) -> None:
        """It is refused before the plugin sees it."""
        plugin = Whole()
        assert refusal(world(plugin).configure, config)["message"]
        assert [] == plugin.seen

    def test_a_start_that_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What nobody meant to raise is no instruction, and its place is logged."""
        told = refusal(world(Whole()).start, '{"stage": "broken"}')
        assert ("plugin.failed", "RuntimeError: no way") == (told["code"], told["message"])
        assert "instruction" not in told
        assert "in start" in capsys.readouterr().err

    def test_health(self) -> None:
        """Status, message and details arrive; a plugin that cannot say is unhealthy."""
        plugin = Whole()
        held = world(plugin)
        assert {"status": "degraded", "message": "slow", "details": {"n": 2**70}} == json.loads(
            held.health()
        )
        plugin.seen.append("ill")
        told = json.loads(held.health())
        assert ("unhealthy", "RuntimeError: cannot say") == (told["status"], told["message"])

    def test_state_is_bytes_as_base64(self) -> None:
        """Any bytes cross as text and come back as they were."""
        plugin = Whole()
        held = world(plugin)
        state = held.export_state()
        assert b"\xff\x00state" == base64.b64decode(state)
        assert "" == held.import_state(state)
        assert [b"\xff\x00state"] == plugin.seen
        assert "plugin.state_invalid" == refusal(held.import_state, "no base64!")["code"]

    def test_functions_for_state_only_where_there_is_some(self) -> None:
        """A host takes a plugin that has them for one that hands its state over."""
        stateless = FunctionProcessor(METADATA, lambda message: message)
        state = {"export-state", "import-state"}
        assert state <= set(exports_of(Whole()))
        assert not state & set(exports_of(stateless))
        assert {"metadata", "configure", "process", "process-batch"} <= set(exports_of(stateless))


def decide(message: Message) -> Any:
    """Do what the payload names."""
    raised: dict[str, Callable[[], BaseException]] = {
        "retry": lambda: Retry("busy", after_s=2.5),
        "fatal": lambda: Fatal("wrong key", hint="mend it"),
        "drop": lambda: Drop("small"),
        "error": lambda: PluginError("bad é", code="x.bad"),
        "panic": lambda: ZeroDivisionError("by zero"),
        "half": lambda: RuntimeError("half \ud800"),
        "exit": lambda: SystemExit(3),
        "memory": MemoryError,
    }
    if message.payload in raised:
        raise raised[message.payload]()
    if message.payload == "none":
        return None
    if message.payload == "two":
        return [message, Message(type="New", payload={"n": 2**70}, metadata={"a": 1.0})]
    return message


ERRORS: list[tuple[str, Mapping[str, Any]]] = [
    (
        "retry",
        {"code": "plugin.retry", "message": "busy", "instruction": "retry", "retry_after_s": 2.5},
    ),
    (
        "fatal",
        {"code": "plugin.fatal", "message": "wrong key", "hint": "mend it", "instruction": "fatal"},
    ),
    ("error", {"code": "x.bad", "message": "bad é"}),
    ("panic", {"code": "plugin.failed", "message": "ZeroDivisionError: by zero"}),
    ("half", {"code": "plugin.failed", "message": "RuntimeError: half ?"}),
    ("memory", {"code": "plugin.failed", "message": "MemoryError: "}),
]


class TestOneMessage:
    def test_forms(self) -> None:
        """Nothing, one object, or an array, as the function gives none, one or several."""
        held = of(decide)
        assert "" == held.process(text("a", "none"))
        assert {"id": "a", "payload": "x"} == json.loads(held.process(text("a", "x")))
        first, second = json.loads(held.process(text("a", "two")))
        assert {"id": "a", "payload": "two"} == first
        assert ("", "New", {"n": 2**70}) == (second["id"], second["type"], second["payload"])

    @pytest.mark.parametrize(("asked", "expected"), ERRORS)
    def test_errors(self, asked: str, expected: Mapping[str, Any]) -> None:
        """Each error arrives as the instruction it is, with code, message, hint and wait."""
        assert {"hint": "", **expected} == refusal(of(decide).process, text("a", asked))

    def test_a_drop_tells_its_reason(self) -> None:
        """A reason is an error of its own kind; to drop without one is no error."""
        told = refusal(of(decide).process, text("a", "drop"))
        assert ("drop", "small") == (told["instruction"], told["message"])

    @pytest.mark.parametrize("message", ["", "{", "[]", "{}", "1"])
    def test_what_is_no_message(self, message: str) -> None:
        """It is an error, and the plugin goes on."""
        held = of(decide)
        assert "message.payload_invalid" == refusal(held.process, message)["code"]
        assert held.process(text("a", "x"))


class TestManyMessages:
    def test_each_has_its_own_answer(self) -> None:
        """Outputs, reasons and errors stand where their message stood."""
        found = answer(of(decide), "x", "none", "error", "two", "drop", "y")
        assert [{"id": "m0", "payload": "x"}] == found[0]["outputs"]
        assert "x.bad" == found[2]["error"]["code"]
        assert ["m3", ""] == [each["id"] for each in found[3]["outputs"]]
        # A reason is counted; which of the rows without outputs carries it does not matter.
        assert [{}, {"dropped": "small"}] == sorted((found[1], found[4]), key=len)
        assert [{"id": "m5", "payload": "y"}] == found[5]["outputs"]

    @pytest.mark.parametrize(("asked", "expected"), ERRORS)
    def test_an_error_costs_its_own_row(self, asked: str, expected: Mapping[str, Any]) -> None:
        """Whatever a function raises for one message, its neighbours are answered."""
        found = answer(of(decide), 1, asked, 2)
        assert {"error": {"hint": "", **expected}} == found[1]
        assert [1, 2] == [each["outputs"][0]["payload"] for each in found[::2]]

    def test_a_function_that_ends_the_process(self) -> None:
        """`sys.exit` is an error of its row: it must not end the instance."""
        found = answer(of(decide), 1, "exit", 2)
        assert "plugin.exit_called" == found[1]["error"]["code"]
        assert ["m0", "m2"] == [each["outputs"][0]["id"] for each in found[::2]]

    def test_what_is_not_changed_is_left_out(self) -> None:
        """A message that nobody reads is named by its id alone: the host has all the rest."""

        def touch(message: Message) -> Message:
            if message.id == "m1":
                message.type = "U"
            return message

        expected = [{"outputs": [{"id": "m0"}]}, {"outputs": [{"id": "m1", "type": "U"}]}]
        assert expected == answer(of(touch), 1.10, 2)

    def test_changed_attributes(self) -> None:
        """Every attribute can be set, and arrives; 1, 1.0 and true are three values."""

        def change(message: Message) -> Message:
            message.id, message.type, message.trace_id = "new", "U", "u"
            message.source = cdpplugin.SourceInfo("a", "b", "c")
            message.content_type = "text/plain"
            message.metadata["flag"] = True
            return message

        [found] = answers(of(change), text("a", 1, metadata={"flag": 1, "big": 2**70}))
        assert [
            {
                "id": "new",
                "type": "U",
                "metadata": {"flag": True, "big": 2**70},
                "source": {"name": "a", "network": "b", "uri": "c"},
                "trace_id": "u",
                "content_type": "text/plain",
            }
        ] == found["outputs"]
        assert found["outputs"][0]["metadata"]["flag"] is True

    def test_numbers_are_exact(self) -> None:
        """Integers of any size and floats to the last bit, read and written again."""

        def read(message: Message) -> Message:
            message.payload["seen"] = True
            return message

        numbers = [2**64, -(2**127), 0.1, 5e-324, 1.7976931348623157e308, 2**53 + 1]
        [found] = answer(of(read), {"n": numbers})
        assert numbers == found["outputs"][0]["payload"]["n"]

    def test_a_message_that_cannot_be_read(self) -> None:
        """A number beyond all bounds, half a character: its own row fails, others are answered."""
        bad = [text("x", "@").replace('"@"', each) for each in ("1e400", '"\\ud800"', "[1e999]")]
        held = of(lambda message: message)
        found = answers(held, text("a", {"b": ["]", "}", "\\"]}), *bad, " " + text("z", "[,"))
        codes = [each.get("error", {}).get("code") for each in found]
        assert [None, *["message.payload_invalid"] * 3, None] == codes
        assert ["a", "z"] == [found[row]["outputs"][0]["id"] for row in (0, 4)]

    @pytest.mark.parametrize("messages", ["", "{}", "[", "[1]", "[{}]", "[1e400", "1e400"])
    def test_what_is_no_batch(self, messages: str) -> None:
        """It is an error of the whole, and the plugin goes on."""
        held = of(decide)
        assert "message.payload_invalid" == refusal(held.process_batch, messages)["code"]
        assert [] == answer(held)

    def test_many(self) -> None:
        """Of thousands none is lost, none doubled, none moved."""
        found = answer(of(lambda message: [message] * 2), *range(3000))
        ids = [[each["id"] for each in row["outputs"]] for row in found]
        assert [[f"m{row}"] * 2 for row in range(3000)] == ids


class TestBatchFunctions:
    def test_row_for_row(self) -> None:
        """A batch is answered row for row."""
        held = of(lambda batch: Batch.of("U", range(len(batch))), batch=True)
        assert [0, 1] == [each["outputs"][0]["payload"] for each in answer(held, "a", "b")]

    def test_the_batch_itself(self) -> None:
        """Rows that are passed on, taken or not, need no payload in the answer."""
        held = of(lambda batch: Outputs((OutputPart(batch.take([1]), [1]),)), batch=True)
        assert [{}, {"outputs": [{"id": "m1"}]}] == answer(held, 1, 2)

    def test_rows_of_others(self) -> None:
        """A payload that is answered to another row is written out."""
        held = of(lambda batch: Outputs((OutputPart(batch.take([1, 0]), [0, 1]),)), batch=True)
        expected = [
            {"outputs": [{"id": "m1", "payload": {"n": 2}}]},
            {"outputs": [{"id": "m0", "payload": {"n": 1}}]},
        ]
        assert expected == answer(held, {"n": 1}, {"n": 2})

    def test_a_batch_that_fails_is_halved(self) -> None:
        """As in a process, until the row that makes it fail is alone."""

        def fail(batch: Batch) -> Batch:
            if "bad" in [batch.payloads.value(row) for row in range(len(batch))]:
                raise ValueError("bad")
            return batch

        found = answer(of(fail, batch=True), 1, 2, "bad", 4, 5)
        assert [2] == [row for row, each in enumerate(found) if "error" in each]
        assert "ValueError: bad" == found[2]["error"]["message"]

    def test_an_instruction_is_about_the_whole(self) -> None:
        """`Retry` of a batch function asks for the whole batch again."""

        def busy(batch: Batch) -> Batch:
            raise Retry("busy")

        told = refusal(of(busy, batch=True).process_batch, array(text("a"), text("b")))
        assert "retry" == told["instruction"]

    def test_reasons_that_are_counted(self) -> None:
        """Each reason arrives as often as it was counted."""
        dropped = {"old": 2, "small": 1}
        found = answer(of(lambda batch: Outputs(dropped=dropped), batch=True), 1, 2, 3, 4)
        assert ["old", "old", "small", None] == [each.get("dropped") for each in found]


class TestAsync:
    def test_it_may_wait(self) -> None:
        """A function may wait, have tasks of its own, and call what would take a thread."""

        async def work(message: Message) -> Message:
            first, second = await asyncio.gather(late(0.02, "b"), late(0.01, "a"))
            message.payload = [*seen, first, second, await asyncio.to_thread(lambda: 7)]
            return message

        seen: list[str] = []

        async def late(seconds: float, name: str) -> str:
            await asyncio.sleep(seconds)
            seen.append(name)
            return name

        [found] = answer(of(work), 1)
        assert ["a", "b", "b", "a", 7] == found["outputs"][0]["payload"]

    def test_where_the_clock_is_not_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sleeps end at once, in the order in which they would have ended."""
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        order: list[str] = []

        async def note(seconds: float, name: str) -> None:
            await asyncio.sleep(seconds)
            order.append(name)

        async def work(message: Message) -> Message:
            await asyncio.gather(note(3600, "c"), note(60, "b"), note(1, "a"))
            async with asyncio.timeout(7200):
                await asyncio.sleep(100)
            return message

        assert "outputs" in answer(of(work), 1)[0]
        assert ["a", "b", "c"] == order
        assert 3600 < sum(slept) < 3800

    def test_waiting_for_ever(self) -> None:
        """What waits for something that nobody gives is an error and no hang."""

        async def work(message: Message) -> Message:
            await asyncio.get_running_loop().create_future()
            return message

        held = of(work)
        assert "nobody will ever give" in refusal(held.process, text("a"))["message"]
        assert "nobody will ever give" in refusal(held.process_batch, array(text("a")))["message"]

    def test_a_failing_call_beside(self) -> None:
        """What a call raises that would take a thread reaches its caller."""

        async def work(message: Message) -> Message:
            await asyncio.to_thread(sys.intern, 5)  # type: ignore[arg-type]
            return message

        assert "TypeError" in answer(of(work), 1)[0]["error"]["message"]


class TestConsumers:
    def test_a_function(self) -> None:
        """Each message is taken; one that fails has an error of its own."""
        taken: list[Any] = []

        @consumer("c", "1.0.0")
        def keep(message: Message) -> None:
            if message.payload == "bad":
                raise ValueError("no")
            taken.append(message.payload)

        found = answer(world(keep), 1, "bad", 2)
        assert [1, 2] == taken
        assert ["ValueError: no"] == [e["error"]["message"] for e in found if "error" in e]
        assert "consumer" == json.loads(world(keep).metadata())["type"]

    def test_all_is_durable_when_it_answers(self) -> None:
        """A consumer that holds back is flushed before it answers."""
        steps: list[Any] = []

        class Holding(Base):
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("h", "1.0.0", "consumer")

            def consume(self, delivery: Delivery) -> None:
                steps.append(delivery.completed_through)

            async def flush(self) -> int | None:
                steps.append("flush")
                return None

        held = world(Holding())
        assert "" == held.start("{}")
        assert [{}, {}] == answer(held, 1, 2)
        assert "" == held.process(text("a"))
        assert [1, 2, "flush", 3, "flush"] == steps

    def test_one_that_keeps_a_position(self) -> None:
        """It would need positions, which no component is told: its start is refused."""

        class Keeping(Base):
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("k", "1.0.0", "consumer")

            async def durable_position(self) -> int | None:
                return -1

            def consume(self, delivery: Delivery) -> int:
                return delivery.completed_through

        told = refusal(world(Keeping()).start, "{}")
        assert ("plugin.component_unsupported", "fatal") == (told["code"], told["instruction"])


def test_the_decorated_function_finds_its_configuration() -> None:
    """`plugin.config` holds what `configure` was given."""

    @processor("large", "1.0.0")
    def large(message: Message) -> Message | None:
        return message if message.payload > large.config["least"] else None

    held = world(large)
    held.configure('{"least": 5}')
    assert [{}, {"outputs": [{"id": "m1", "payload": 6}]}] == answer(held, 5, 6)
