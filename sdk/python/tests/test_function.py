"""A function becomes a plugin: a processor, a consumer or a source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

import cdpplugin
from cdpplugin import (
    Batch,
    Constant,
    Consumer,
    Delivery,
    Drop,
    Fatal,
    Message,
    OutputPart,
    Outputs,
    Plugin,
    PluginError,
    PluginMetadata,
    Processor,
    Resume,
    Retry,
    Source,
    SourceBatch,
    consumer,
    processor,
    source,
)
from cdpplugin.function import FunctionProcessor, as_outputs

from .scalar import Scalar


def batch(rows: int = 4) -> Batch:
    return Batch.of("T", [{"n": n} for n in range(rows)], ids=[f"i{n}" for n in range(rows)])


def answered(plugin: Any, held: Batch) -> Outputs:
    """The answer of a plain or an asynchronous processor."""
    answer = plugin.process_batch(held)
    if asyncio.iscoroutine(answer):
        return asyncio.run(answer)
    assert isinstance(answer, Outputs)
    return answer


def values(outputs: Outputs) -> list[tuple[int, Any]]:
    return [
        (row, part.batch.payloads.value(at))
        for part in outputs.parts
        for at, row in enumerate(part.rows)
    ]


def both(function: Callable[[Message], Any]) -> list[FunctionProcessor]:
    """The function as a plain and as an asynchronous plugin."""

    async def asynchronous(message: Message) -> Any:
        await asyncio.sleep(0)
        return function(message)

    class Called:
        async def __call__(self, message: Message) -> Any:
            return function(message)

    make = processor("p", "1.0.0")
    return [make(function), make(asynchronous), make(Called()), make(partial(function))]


class TestProcessor:
    def test_its_metadata_is_the_decorators(self) -> None:
        """Name, version and everything else that `PluginMetadata` has."""
        made = processor("p", "1.2.3", input_types=["T"], stateful=True)(lambda message: message)

        assert PluginMetadata("p", "1.2.3", "processor", input_types=["T"], stateful=True) == (
            made.metadata()
        )
        assert isinstance(made, Plugin)
        assert isinstance(made, Processor)

    def test_it_can_be_called_like_the_function(self) -> None:
        """A unit test of the function needs no batch."""

        @processor("p")
        def double(message: Message) -> Message:
            message.payload *= 2
            return message

        assert 4 == double(Message(payload=2)).payload

    def test_one_several_or_none(self) -> None:
        """A function returns a message, a list of them, a generator of them, or None."""

        def function(message: Message) -> Any:
            n = message.payload["n"]
            many = [Message(type="T", payload=[n, k]) for k in range(2)]
            return [message, many, (m for m in many), None][n]

        for plugin in both(function):
            assert [
                (0, {"n": 0}),
                (1, [1, 0]),
                (1, [1, 1]),
                (2, [2, 0]),
                (2, [2, 1]),
            ] == values(answered(plugin, batch()))

    def test_one_bad_row_fails_alone(self) -> None:
        """Whatever a function raises belongs to its row; instructions stay what they are."""
        errors = [KeyError("x"), Retry("later"), Fatal("stop")]

        def function(message: Message) -> Message:
            if message.payload["n"]:
                raise errors[message.payload["n"] - 1]
            return message

        for plugin in both(function):
            outputs = answered(plugin, batch())
            assert [(0, {"n": 0})] == values(outputs)
            assert ["KeyError: 'x'", "later", "stop"] == [str(e) for e in outputs.errors.values()]
            assert [PluginError, Retry, Fatal] == [type(e) for e in outputs.errors.values()]

    def test_drop_is_counted_by_its_reason(self) -> None:
        """`raise Drop` is `return None` with a reason."""

        def function(message: Message) -> Message:
            if message.payload["n"] < 3:
                raise Drop("small")
            return message

        for plugin in both(function):
            outputs = answered(plugin, batch())
            assert ({}, {"small": 3}) == (outputs.errors, outputs.dropped)
            assert [(3, {"n": 3})] == values(outputs)

    def test_a_row_that_fails_half_way_gives_nothing(self) -> None:
        """All of a row's outputs, or none."""

        def function(message: Message) -> Iterator[Message]:
            yield Message(type="T", payload=1)
            raise ValueError("half way")

        outputs = answered(processor("p")(function), batch(2))
        assert [] == values(outputs)
        assert [0, 1] == list(outputs.errors)

    def test_an_asynchronous_generator_is_refused_clearly(self) -> None:
        """What cannot be gathered is an error, never silence."""

        async def function(message: Message) -> AsyncIterator[Message]:
            yield message

        outputs = answered(processor("p")(function), batch(1))
        assert "async_generator" in outputs.errors[0].message

    async def test_its_configuration_can_be_read(self) -> None:
        """`plugin.config` is what `configure` was given."""

        @processor("p")
        def above(message: Message) -> Message | None:
            return message if message.payload["n"] > above.config["least"] else None

        await above.configure({"least": 2})
        assert [(3, {"n": 3})] == values(answered(above, batch()))


class TestBatchFunction:
    def test_a_batch_is_an_answer_row_for_row(self) -> None:
        """Plain or asynchronous; the batch is not touched."""

        async def asynchronous(held: Batch) -> Batch:
            return held.replace(types="U")

        for function in (asynchronous, lambda held: held.replace(types="U")):
            held = batch()
            [part] = answered(processor("p", batch=True)(function), held).parts
            assert isinstance(part.batch.types, Constant)
            assert held.payloads is part.batch.payloads
            assert [0, 1, 2, 3] == list(part.rows)

    def test_outputs_are_an_answer(self) -> None:
        """A batch function may map rows itself."""
        answer = Outputs((OutputPart(batch(3), [0, 0, 3]),), {1: PluginError("no")})

        assert answer is as_outputs(answer, batch())

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            [batch()],
            batch(3),
            batch(5),
            Outputs((OutputPart(batch(2), [0]),)),
            Outputs((OutputPart(batch(2), [1, 0]),)),
            Outputs((OutputPart(batch(2), (1, 0)),)),
            Outputs((OutputPart(batch(2), range(1, -1, -1)),)),
            Outputs((OutputPart(batch(2), [0, 4]),)),
            Outputs((OutputPart(batch(2), [-1, 0]),)),
            Outputs((OutputPart(batch(5), range(5)),)),
            Outputs(errors={4: PluginError("no")}),
            Outputs(errors={-1: PluginError("no")}),
        ],
        ids=[
            *("nothing", "list", "short", "long", "row missing", "falling", "falling tuple"),
            *("falling range", "beyond", "before", "too many", "error beyond", "error before"),
        ],
    )
    def test_an_answer_that_would_mix_up_rows_is_refused(self, answer: Any) -> None:
        """Rows that do not exist, fall or are missing are an error, never a lost message."""
        with pytest.raises(PluginError) as caught:
            as_outputs(answer, batch())

        assert "plugin.output_invalid" == caught.value.code
        assert len(caught.value.message) < 300


class TestConsumer:
    def test_it_is_durable_when_the_function_returns(self) -> None:
        """Every message in order, then the mark."""
        for asynchronous in (False, True):
            seen: list[int] = []

            def take(message: Message, seen: list[int] = seen) -> None:
                seen.append(message.payload["n"])

            async def take_later(message: Message, take: Any = take) -> None:
                take(message)

            made: Any = consumer("c")(take_later if asynchronous else take)
            answer = made.consume(Delivery(batch(), range(4), 9))
            assert 9 == (asyncio.run(answer) if asynchronous else answer)
            assert [0, 1, 2, 3] == seen
            assert isinstance(made, Consumer)

    def test_a_dropped_message_is_passed_over(self) -> None:
        """`Drop` leaves one message out; the others are taken once."""
        seen: list[int] = []

        @consumer("c")
        def take(message: Message) -> None:
            if message.payload["n"] == 1:
                raise Drop("not this one")
            seen.append(message.payload["n"])

        take.consume(Delivery(batch(), range(4), 9))
        assert [0, 2, 3] == seen

    def test_an_error_reaches_the_host(self) -> None:
        """A delivery that failed is not called durable."""

        @consumer("c")
        def take(message: Message) -> None:
            raise Retry("busy")

        with pytest.raises(Retry):
            take.consume(Delivery(batch(), range(4), 9))

    async def test_it_can_be_configured_and_called(self) -> None:
        """As a processor can."""
        made = consumer("c")(lambda message: message.id)
        await made.configure({"a": 1})

        assert ({"a": 1}, "x") == (made.config, made(Message(id="x")))


def messages() -> Iterator[Message]:
    for n in range(1, 5):
        yield Message(
            id="own" if n == 2 else "",
            type=f"T{n}",
            payload={"n": n},
            metadata={"score": Scalar(n)},
            trace_id="t",
            content_type="application/x",
        )


async def messages_later() -> AsyncIterator[Message]:
    for message in messages():
        await asyncio.sleep(0)
        yield message


async def read(plugin: Any, after: Resume | None) -> list[SourceBatch]:
    stream = plugin.read(after)
    return [found async for found in stream] if hasattr(stream, "__aiter__") else list(stream)


@pytest.mark.parametrize("function", [messages, messages_later])
class TestSource:
    async def test_messages_are_counted_from_one(self, function: Any) -> None:
        """Each message is a position of its own, complete with it."""
        made = source("s", "1.0.0")(function)
        found = await read(made, None)

        assert isinstance(made, Source)
        assert [1, 2, 3, 4] == [batch.mark for batch in found]
        assert "s" == (await made.describe()).identity

    async def test_it_goes_on_after_what_is_durable(self, function: Any) -> None:
        """A resumed run leaves out what was counted before."""
        found = await read(source("s")(function), Resume(2))

        assert [[3], [4]] == [list(batch.positions) for batch in found]
        assert [{"n": 3}, {"n": 4}] == [batch.batch.payloads.value(0) for batch in found]

    async def test_every_attribute_is_kept(self, function: Any) -> None:
        """What the function yields is what the first stage sees."""
        _, second, *_ = await read(source("s")(function), None)
        [message] = cdpplugin.views(second.batch)

        assert ("own", "T2", {"n": 2}, {"score": 2}, "t", "application/x") == (
            message.id,
            message.type,
            message.payload,
            message.metadata,
            message.trace_id,
            message.content_type,
        )


class TestExamplesOfTheBrief:
    """Code that authors were promised to be able to write."""

    def test_a_message_made_of_another(self) -> None:
        """`Message(id=..., type=..., payload=..., metadata=msg.metadata)`."""

        @processor("enrich", "1.0.0")
        def enrich(msg: cdpplugin.Message) -> cdpplugin.Message:
            return cdpplugin.Message(
                id=msg.id,
                type="Enriched",
                payload={"data": msg.payload, "enriched": True},
                metadata=msg.metadata,
            )

        held = batch(1).replace(metadata=[{"kept": 1}])
        [part] = answered(enrich, held).parts
        assert (["i0"], ["Enriched"], [{"kept": 1}]) == (
            list(part.batch.ids),
            list(part.batch.types),
            list(part.batch.metadata),
        )
        assert {"data": {"n": 0}, "enriched": True} == part.batch.payloads.value(0)

    def test_scores_of_a_model_in_the_metadata(self) -> None:
        """`msg.metadata['fraud_score'] = float(x)`, and a numpy boolean as it comes."""

        def detect_fraud(msg: cdpplugin.Message) -> cdpplugin.Message:
            msg.metadata["fraud_score"] = 0.9
            msg.metadata["fraud_detected"] = Scalar(True)
            return msg

        metadata = cdpplugin.PluginMetadata(
            name="fraud-detector", version="2.0.0", type="processor"
        )
        plugin = FunctionProcessor(metadata, detect_fraud)
        [part] = answered(plugin, batch(1)).parts

        assert [{"fraud_score": 0.9, "fraud_detected": True}] == list(part.batch.metadata)
        assert "fraud-detector@2.0.0" == plugin.metadata().reference


@pytest.mark.parametrize("make", [processor, consumer, source])
@pytest.mark.parametrize("version", ["one", "1.0", "", "v1.0.0", 1])
def test_version_that_is_none(make: Any, version: Any) -> None:
    """What is no semantic version is refused where it is written, in words that help."""
    with pytest.raises(PluginError, match="`a`: a semantic version such as") as raised:
        make("a", version)

    assert "plugin.metadata_invalid" == raised.value.code
    assert f'write `@{make.__name__}("a", "1.0.0")`' == raised.value.hint
