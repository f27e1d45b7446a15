"""A native plugin may be written with plain or asynchronous methods; the host sees one contract."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.native import (
    NativeConsumer,
    NativeProcessor,
    NativeSource,
    handle,
)
from cdpplugin import (
    Base,
    Batch,
    Context,
    Delivery,
    Drop,
    Fatal,
    HealthStatus,
    Outputs,
    PluginError,
    PluginMetadata,
    Resume,
    Retry,
    SourceBatch,
    SourceDescription,
    consumer,
    processor,
    source,
)
from cdpplugin.handles import THREADS

Calls = list[tuple[str, Any, bool]]
"""Method, argument, whether it ran on the event loop's thread."""


def on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def rows(first: int, last: int) -> SourceBatch:
    return SourceBatch(Batch.of("T", range(first, last + 1)), range(first, last + 1))


class Plain:
    """A plugin of every kind, all of its methods plain functions."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.calls: Calls = []

    def note(self, name: str, argument: Any = None) -> None:
        self.calls.append((name, argument, on_loop()))

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(self.kind, "1.0.0", self.kind)

    def configure(self, config: Any) -> None:
        self.note("configure", config)

    def start(self, context: Context) -> None:
        self.note("start", context)

    def stop(self) -> None:
        self.note("stop")

    def health(self) -> HealthStatus:
        self.note("health")
        return HealthStatus("degraded", "look at it")

    def describe(self) -> SourceDescription:
        self.note("describe")
        return SourceDescription(identity="x")

    def read(self, after: Resume | None) -> Iterator[SourceBatch]:
        self.note("read", after)
        yield rows(1, 2)
        yield rows(3, 4)

    def acknowledge(self, completed_through: int) -> None:
        self.note("acknowledge", completed_through)

    def process_batch(self, batch: Batch) -> Outputs:
        self.note("process_batch")
        return Outputs.each(batch)

    def durable_position(self) -> int:
        self.note("durable_position")
        return 7

    def consume(self, delivery: Delivery) -> int:
        self.note("consume")
        return delivery.completed_through

    def flush(self) -> int:
        self.note("flush")
        return 9

    def forget(self, context: Context) -> Sequence[str]:
        self.note("forget", context)
        return ["forgotten"]


class Coroutines(Plain):
    """The same plugin, all of its methods coroutines."""

    async def configure(self, config: Any) -> None:
        super().configure(config)

    async def start(self, context: Context) -> None:
        super().start(context)

    async def stop(self) -> None:
        super().stop()

    async def health(self) -> HealthStatus:
        return super().health()

    async def describe(self) -> SourceDescription:
        return super().describe()

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        for found in super().read(after):
            yield found

    async def acknowledge(self, completed_through: int) -> None:
        super().acknowledge(completed_through)

    async def process_batch(self, batch: Batch) -> Outputs:
        return super().process_batch(batch)

    async def durable_position(self) -> int:
        return super().durable_position()

    async def consume(self, delivery: Delivery) -> int:
        return super().consume(delivery)

    async def flush(self) -> int:
        return super().flush()

    async def forget(self, context: Context) -> Sequence[str]:
        return super().forget(context)


BATCH = Batch.of("T", [1, 2])
CONTEXT = Context("pipeline", "stage")


@pytest.mark.parametrize(("kind_of", "on_the_loop"), [(Plain, False), (Coroutines, True)])
class TestPlainAndAsynchronous:
    async def test_every_method_of_a_source(
        self, kind_of: Callable[[str], Any], on_the_loop: bool
    ) -> None:
        """A plain method runs on a thread, a coroutine on the event loop."""
        plugin = kind_of("source")
        held = handle(plugin)
        assert isinstance(held, NativeSource)
        await held.configure({"a": 1})
        await held.start(CONTEXT)
        assert SourceDescription(identity="x") == await held.describe()
        found = [batch async for batch in held.read(Resume(3))]
        await held.acknowledge(4)
        assert "degraded" == (await held.health()).status
        await held.stop()

        assert [1, 2, 3, 4] == [position for batch in found for position in batch.positions]
        names = ["configure", "start", "describe", "read", "acknowledge", "health", "stop"]
        arguments = [{"a": 1}, CONTEXT, None, Resume(3), 4, None, None]
        expected = [(*each, on_the_loop) for each in zip(names, arguments, strict=True)]
        assert expected == plugin.calls

    async def test_every_method_of_a_processor(
        self, kind_of: Callable[[str], Any], on_the_loop: bool
    ) -> None:
        """An answer is handed on as it is."""
        plugin = kind_of("processor")
        held = handle(plugin)
        assert isinstance(held, NativeProcessor)
        outputs = await held.process_batch(BATCH)
        await held.stop()

        assert BATCH is outputs.parts[0].batch
        assert [("process_batch", on_the_loop), ("stop", on_the_loop)] == [
            (name, where) for name, _, where in plugin.calls
        ]

    async def test_every_method_of_a_consumer(
        self, kind_of: Callable[[str], Any], on_the_loop: bool
    ) -> None:
        """Positions come back as the plugin gave them."""
        plugin = kind_of("consumer")
        held = handle(plugin)
        assert isinstance(held, NativeConsumer)
        positions = [
            await held.durable_position(),
            await held.consume(Delivery(BATCH, [1, 2], 2)),
            await held.flush(),
        ]
        done = await held.forget(CONTEXT)
        await held.stop()

        assert [7, 2, 9] == positions
        assert ["forgotten"] == done
        assert {on_the_loop} == {where for *_, where in plugin.calls}


class TestOptional:
    async def test_a_consumer_may_leave_out_what_it_does_not_need(self) -> None:
        """Without a position of its own a consumer has one method."""

        class Bare:
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("bare", "1.0.0", "consumer")

            def configure(self, config: Any) -> None: ...
            def start(self, context: Any) -> None: ...
            def stop(self) -> None: ...
            def health(self) -> HealthStatus:
                return HealthStatus()

            def consume(self, delivery: Delivery) -> None: ...

        held: Any = handle(Bare())  # type: ignore[arg-type]
        assert [None, None, []] == [
            await held.durable_position(),
            await held.flush(),
            await held.forget(CONTEXT),
        ]
        await held.stop()

    async def test_a_plain_method_may_return_an_awaitable(self) -> None:
        """A wrapper around a coroutine function is awaited too."""

        class Wrapped(Base):
            def metadata(self) -> PluginMetadata:
                return PluginMetadata("wrapped", "1.0.0", "processor")

            def process_batch(self, batch: Batch) -> Any:
                async def answer() -> Outputs:
                    return Outputs.each(batch)

                return answer()

        held: Any = handle(Wrapped())
        assert BATCH is (await held.process_batch(BATCH)).parts[0].batch
        await held.stop()

    @pytest.mark.parametrize("answer", [None, {"name": "x"}, PluginMetadata("x", "1", "tap")])  # type: ignore[arg-type]
    def test_a_plugin_that_does_not_say_what_it_is(self, answer: Any) -> None:
        """Metadata that is none is an error that names the plugin's class."""

        class Mute(Base):
            def metadata(self) -> PluginMetadata:
                return answer  # type: ignore[no-any-return]

        with pytest.raises(ArtifactError) as caught:
            handle(Mute())
        assert "plugin.metadata_invalid" == caught.value.code


class Failing(Base):
    """Raises what it is told to, wherever it is told to."""

    def __init__(self, where: str, error: BaseException) -> None:
        self._where = where
        self._error = error

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("failing", "1.0.0", "processor")

    def configure(self, config: Any) -> None:  # type: ignore[override]
        self._maybe("configure")

    def start(self, context: Context) -> None:  # type: ignore[override]
        self._maybe("start")

    def stop(self) -> None:  # type: ignore[override]
        self._maybe("stop")

    def process_batch(self, batch: Batch) -> Outputs:
        self._maybe("process_batch")
        return Outputs.each(batch)

    def _maybe(self, where: str) -> None:
        if where == self._where:
            raise self._error


class TestErrors:
    @pytest.mark.parametrize("where", ["configure", "start", "stop"])
    async def test_an_exception_comes_through_as_it_is(self, where: str) -> None:
        """The host, not the handle, says what a failed configure, start or stop means."""
        held = handle(Failing(where, KeyError("missing")))

        async def live() -> None:
            try:
                await held.configure({})
                await held.start(CONTEXT)
            finally:
                await held.stop()

        with pytest.raises(KeyError, match="missing"):
            await live()
        await wait_for_no_thread("failing")

    async def test_a_stop_iteration_does_not_hang_the_host(self) -> None:
        """`next` on something empty is an error like any other."""
        held: Any = handle(Failing("process_batch", StopIteration()))
        async with asyncio.timeout(10):
            outputs = await held.process_batch(Batch.of("T", [1]))
        assert "StopIteration" in str(outputs.errors[0])
        await held.stop()

    async def test_an_exit_does_not_end_the_host(self) -> None:
        """`sys.exit` in a plugin is an error of that plugin."""
        held = handle(Failing("start", SystemExit(3)))
        with pytest.raises(PluginError) as caught:
            await held.start(CONTEXT)
        assert "plugin.exit_called" == caught.value.code
        await held.stop()


def bulk(refuse: set[int], error: Exception, **options: Any) -> tuple[Any, list[list[Any]]]:
    """A batch processor that raises where it sees one of *refuse*, and notes every call."""
    calls: list[list[Any]] = []

    @processor("bulk", "1.0.0", batch=True, **options)
    def process(batch: Batch) -> Batch:
        values = [batch.payloads.value(row) for row in range(len(batch))]
        calls.append(values)
        if refuse.intersection(values):
            raise error
        return batch

    return handle(process), calls


def values(outputs: Outputs) -> list[tuple[int, Any]]:
    return [
        (row, part.batch.payloads.value(at))
        for part in outputs.parts
        for at, row in enumerate(part.rows)
    ]


class TestBisection:
    async def test_only_the_bad_rows_fail(self) -> None:
        """A batch that fails as a whole is halved until each bad row stands alone."""
        held, calls = bulk({3, 6}, ValueError("no"))
        outputs = await held.process_batch(Batch.of("T", range(8)))
        await held.stop()

        assert [(n, n) for n in range(8) if n not in (3, 6)] == values(outputs)
        assert [3, 6] == list(outputs.errors)
        assert {"ValueError: no"} == {str(error) for error in outputs.errors.values()}
        assert len(calls) <= 2 * 2 * 4

    async def test_rows_of_the_answer_stay_in_order(self) -> None:
        """What is put together of halves names its rows as the whole would."""
        held, _ = bulk({0, 5}, ValueError("no"))
        outputs = await held.process_batch(Batch.of("T", range(7)))
        await held.stop()
        named = [row for part in outputs.parts for row in part.rows]

        assert [1, 2, 3, 4, 6] == named

    async def test_a_stateful_plugin_is_not_called_twice(self) -> None:
        """A row it has seen must not come again: the whole batch fails."""
        held, calls = bulk({2}, ValueError("no"), stateful=True)
        outputs = await held.process_batch(Batch.of("T", range(4)))
        await held.stop()

        assert [[0, 1, 2, 3]] == calls
        assert [0, 1, 2, 3] == list(outputs.errors)
        assert not outputs.parts

    @pytest.mark.parametrize("error", [Retry("later", after_s=3.0), Fatal("stop")])
    async def test_instructions_are_for_the_whole_batch(self, error: Exception) -> None:
        """`Retry` and `Fatal` are not a row's: the engine carries them out."""
        held, calls = bulk({2}, error)
        with pytest.raises(type(error)) as caught:
            await held.process_batch(Batch.of("T", range(4)))
        await held.stop()

        assert error is caught.value
        assert 1 == len(calls)

    async def test_a_whole_batch_may_be_dropped(self) -> None:
        """`Drop` from a batch function leaves all of its rows out, and counts them."""
        held, calls = bulk({2}, Drop("not today"))
        outputs = await held.process_batch(Batch.of("T", range(4)))
        await held.stop()

        assert Outputs(dropped={"not today": 4}) == outputs
        assert 1 == len(calls)

    async def test_an_answer_that_fits_no_row_is_an_error(self) -> None:
        """A batch of another length is refused, and never paired off wrongly."""

        @processor("short", "1.0.0", batch=True)
        def short(batch: Batch) -> Batch:
            return batch.slice(1, len(batch))

        held: Any = handle(short)
        outputs = await held.process_batch(Batch.of("T", range(3)))
        await held.stop()

        assert [0, 1, 2] == list(outputs.errors)
        assert {"plugin.output_invalid"} == {error.code for error in outputs.errors.values()}


async def into(seen: list[SourceBatch], stream: AsyncIterator[SourceBatch]) -> None:
    async for found in stream:
        seen.append(found)  # noqa: PERF401 - what came before an error is wanted too


class Streaming(Base):
    """A source whose generator says when it has been closed."""

    def __init__(self, *, plain: bool) -> None:
        self.closed = threading.Event()
        self.closed_on: int | None = None
        self.pulled_on: int | None = None
        self.read = self._plain if plain else self._asynchronous

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("streaming", "1.0.0", "source")

    def describe(self) -> SourceDescription:
        return SourceDescription(identity="streaming")

    def _plain(self, after: Resume | None) -> Iterator[Any]:
        try:
            for position in range(1, 1_000_000):
                self.pulled_on = threading.get_ident()
                yield rows(position, position)
        finally:
            self.closed_on = threading.get_ident()
            self.closed.set()

    async def _asynchronous(self, after: Resume | None) -> AsyncIterator[Any]:
        for found in self._plain(after):
            try:
                yield found
            except GeneratorExit:
                self.closed.set()
                raise


@pytest.mark.parametrize("plain", [True, False])
class TestStreams:
    async def test_a_generator_is_closed_when_the_run_ends_early(self, plain: bool) -> None:
        """What a source opened for reading is released, on the thread that read it."""
        plugin = Streaming(plain=plain)
        held: Any = handle(plugin)
        stream = held.read(None)
        await anext(stream)
        await stream.aclose()
        assert plugin.closed.is_set()
        if plain:
            assert plugin.pulled_on == plugin.closed_on
        await held.stop()

    async def test_a_generator_is_closed_when_reading_is_cancelled(self, plain: bool) -> None:
        """A cancelled run leaves no generator open."""
        plugin = Streaming(plain=plain)
        held: Any = handle(plugin)
        seen: list[SourceBatch] = []

        async def read() -> None:
            stream = held.read(None)
            try:
                async for found in stream:
                    seen.append(found)
                    await asyncio.sleep(0)
            finally:
                await stream.aclose()

        reading = asyncio.create_task(read())
        async with asyncio.timeout(10):
            while len(seen) < 3:
                await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        await held.stop()

        assert plugin.closed.is_set()

    async def test_what_is_no_batch_is_refused(self, plain: bool) -> None:
        """A source that yields None has not ended: rows after it would be lost."""

        class Odd(Streaming):
            def _plain(self, after: Resume | None) -> Iterator[Any]:
                yield rows(1, 1)
                yield None
                yield rows(2, 2)

        held: Any = handle(Odd(plain=plain))
        seen: list[SourceBatch] = []
        with pytest.raises(PluginError) as caught:
            await into(seen, held.read(None))
        await held.stop()

        assert 1 == len(seen)
        assert "plugin.output_invalid" == caught.value.code

    async def test_an_error_comes_after_what_was_read(self, plain: bool) -> None:
        """A source's exception reaches the engine as it is."""

        class Breaking(Streaming):
            def _plain(self, after: Resume | None) -> Iterator[Any]:
                yield rows(1, 1)
                raise Retry("connection lost", after_s=2.0)

        held: Any = handle(Breaking(plain=plain))
        seen: list[SourceBatch] = []
        with pytest.raises(Retry, match="connection lost"):
            await into(seen, held.read(None))
        await held.stop()

        assert 1 == len(seen)


def threads_of(plugin: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(f"{THREADS}{plugin}")]


async def wait_for_no_thread(plugin: str) -> None:
    async with asyncio.timeout(10):
        while threads_of(plugin):
            await asyncio.sleep(0)


class TestThreads:
    async def test_stop_ends_every_thread(self) -> None:
        """After `stop` a plugin has no thread left, however many workers it had."""

        @processor("many-threads", "1.0.0")
        def slow(message: Any) -> Any:
            return message

        held: Any = handle(slow, workers=4)
        await asyncio.gather(*(held.process_batch(BATCH) for _ in range(8)))
        assert threads_of("many-threads")
        await held.stop()

        await wait_for_no_thread("many-threads")

    async def test_as_many_calls_run_at_once_as_there_are_workers(self) -> None:
        """`workers: N` calls a plain function N times at once, and no more."""
        together = threading.Barrier(3, timeout=10)

        @processor("together", "1.0.0", batch=True)
        def meet(batch: Batch) -> Batch:
            together.wait()
            return batch

        held: Any = handle(meet, workers=3)
        await asyncio.gather(*(held.process_batch(BATCH) for _ in range(3)))
        await held.stop()

        assert not together.broken

    async def test_a_plain_function_never_blocks_the_event_loop(self) -> None:
        """While a consumer's or source's function waits, the host goes on."""
        waiting, let_go = threading.Event(), threading.Event()

        @consumer("waits", "1.0.0")
        def waits(message: Any) -> None:
            waiting.set()
            assert let_go.wait(10)

        @source("waits", "1.0.0")
        def gives() -> Iterator[Any]:
            from cdpplugin import Message

            waiting.set()
            assert let_go.wait(10)
            yield Message(type="T", payload=1)

        for call in (
            lambda held: held.consume(Delivery(BATCH, [1, 2], 2)),
            lambda held: anext(held.read(None)),
        ):
            plugin: Any = gives if waiting.is_set() else waits
            waiting.clear()
            let_go.clear()
            held: Any = handle(plugin)
            working = asyncio.ensure_future(call(held))
            async with asyncio.timeout(10):
                while not waiting.is_set():
                    await asyncio.sleep(0)
                let_go.set()
                await working
            await held.stop()
            waiting.set()
