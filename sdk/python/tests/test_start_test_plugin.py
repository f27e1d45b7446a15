"""A plugin in a unit test: what it is handed, what comes back, how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import cdpplugin
from cdpplugin import (
    Base,
    ConfigInvalid,
    Context,
    Delivery,
    Drop,
    Fatal,
    HealthStatus,
    Message,
    PluginError,
    PluginMetadata,
    Resume,
    Retry,
)
from cdpplugin.testing import TestPlugin, start_test_plugin

IDENTITY = PluginMetadata(name="obedient", version="1.0.0")


class Obedient(Base):
    """Does what its message says."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.least = 0.0

    def metadata(self) -> PluginMetadata:
        return IDENTITY

    def configure(self, config: Mapping[str, Any]) -> None:
        if not isinstance(config.get("least", 0), int | float):
            raise ConfigInvalid("`least` is no number", hint="use one")
        self.least = config.get("least", 0)

    def start(self, context: Context) -> None:
        if context.network:
            raise Fatal(f"no {context.network}")

    def stop(self) -> None:
        self.calls.append("stop")

    def health(self) -> HealthStatus:
        return HealthStatus("degraded", "slow", {"least": self.least})

    def process_batch(self, batch: cdpplugin.Batch) -> cdpplugin.Outputs:
        collector = cdpplugin.OutputCollector(batch)
        for row, message in enumerate(cdpplugin.views(batch)):
            try:
                collector.add_result(row, self.obey(message))
            except Drop as drop:
                collector.drop(drop.reason)
            except Exception as error:
                collector.fail(row, error)
        return collector.outputs()

    def obey(self, message: Message) -> Any:
        match message.type:
            case "drop":
                raise Drop("told to")
            case "nothing":
                return None
            case "retry":
                raise Retry("later", after_s=1.5)
            case "fatal":
                raise Fatal("over", hint="start again")
            case "error":
                raise PluginError("wrong", code="obedient.wrong", hint="do it right")
            case "foreign":
                raise KeyError("odd")
            case "twice":
                return [message, message]
        enough = message.payload["value"] >= self.least
        metadata = {**message.metadata, "enough": enough}
        return Message(type="ProcessedData", payload=message.payload, metadata=metadata)


@pytest.fixture
def plugin() -> Iterator[TestPlugin]:
    with start_test_plugin(Obedient, config={"least": 100}) as started:
        yield started


class TestProcess:
    def test_message(self, plugin: TestPlugin) -> None:
        """A message is an object or its fields; it arrives with all it has."""
        output = plugin.process(
            {"type": "TestData", "payload": {"value": 2**53 + 1}, "metadata": {"k": 1}}
        )
        assert output is not None
        assert "ProcessedData" == output.type
        assert {"value": 2**53 + 1} == output.payload
        assert {"k": 1, "enough": True} == output.metadata
        small = plugin.process(Message(payload={"value": 99}))
        assert small is not None
        assert small.metadata["enough"] is False

    def test_drop(self, plugin: TestPlugin) -> None:
        """What is left out gives None, and the reason where there is one."""
        assert plugin.process({"type": "drop"}) is None
        assert "told to" == plugin.dropped
        assert plugin.process({"type": "nothing"}) is None
        assert "" == plugin.dropped

    def test_errors(self, plugin: TestPlugin) -> None:
        """What the plugin raises is raised."""
        with pytest.raises(Retry) as retry:
            plugin.process({"type": "retry"})
        assert 1.5 == retry.value.after_s
        with pytest.raises(Fatal, match="over") as fatal:
            plugin.process({"type": "fatal"})
        assert "start again" == fatal.value.hint
        for kind, message, code in (
            ("error", "wrong", "obedient.wrong"),
            ("foreign", "KeyError: 'odd'", "plugin.failed"),
            ("twice", "expected one output, got 2", "plugin.output_invalid"),
        ):
            with pytest.raises(PluginError) as error:
                plugin.process({"type": kind})
            assert (message, code) == (error.value.message, error.value.code)

    def test_text_that_is_no_json(self, plugin: TestPlugin) -> None:
        """A payload that is bytes goes as it is."""
        with pytest.raises(PluginError):
            plugin.process({"type": "T", "payload": b"no JSON"})

    def test_batch(self, plugin: TestPlugin) -> None:
        """A batch is answered by its rows."""
        kinds = ["twice", "drop", "error", "T", "drop", "nothing"]
        answer = plugin.process_all({"type": kind, "payload": {"value": 1}} for kind in kinds)
        assert ["twice", "twice", "ProcessedData"] == [output.type for output in answer.outputs]
        assert [0, 0, 3] == answer.rows
        assert {2: "wrong"} == {row: error.message for row, error in answer.errors.items()}
        assert {"told to": 2} == answer.dropped
        assert [] == plugin.process_all([]).outputs

    def test_whole_batch(self) -> None:
        """A retry of a batch is raised for all of it."""

        @cdpplugin.processor("busy", "1.0.0", batch=True)
        def busy(batch: cdpplugin.Batch) -> cdpplugin.Batch:
            raise Retry("later", after_s=1)

        with start_test_plugin(busy) as plugin, pytest.raises(Retry, match="later"):
            plugin.process_all([{"type": "T"}, {"type": "T"}])

    async def test_within_a_loop(self) -> None:
        """An async test calls it too, and an async function is one as ever."""

        async def shout(message: Message) -> Message:
            message.payload = message.payload.upper()
            return message

        with start_test_plugin(IDENTITY, shout) as plugin:
            output = plugin.process({"payload": "hey"})
            assert output is not None
            assert "HEY" == output.payload

    def test_timeout(self) -> None:
        """A call that hangs ends with the test's bound."""

        async def hang(message: Message) -> None:
            await __import__("asyncio").Event().wait()

        with (
            start_test_plugin(IDENTITY, hang, timeout_s=0.05) as plugin,
            pytest.raises(TimeoutError, match=r"did not answer within 0\.05 s"),
        ):
            plugin.process({"type": "T"})


class TestLife:
    def test_health(self, plugin: TestPlugin) -> None:
        """It says how it is, and who."""
        assert HealthStatus("degraded", "slow", {"least": 100}) == plugin.health()
        assert "obedient" == plugin.metadata().name

    def test_refused_configuration(self) -> None:
        """A refused configuration is raised by the start; what never started is not stopped."""
        plugin = Obedient()
        with pytest.raises(ConfigInvalid, match="no number") as error:
            start_test_plugin(plugin, config={"least": "few"})
        assert "use one" == error.value.hint
        assert [] == plugin.calls

    def test_failed_start(self) -> None:
        """A start that fails is raised, and the plugin is stopped."""
        plugin = Obedient()
        with pytest.raises(Fatal, match="no net"):
            start_test_plugin(plugin, context=Context("p", "s", "net"))
        assert ["stop"] == plugin.calls

    def test_stop(self) -> None:
        """A stop happens once; what it raises is raised."""

        class Stuck(Obedient):
            def stop(self) -> None:
                super().stop()
                raise PluginError("stuck")

        plugin = Stuck()
        started = start_test_plugin(plugin)
        with pytest.raises(PluginError, match="stuck"):
            started.stop()
        started.stop()
        assert ["stop"] == plugin.calls
        with pytest.raises(RuntimeError, match="was stopped"):
            started.process({"type": "T"})

    @pytest.mark.parametrize("given", [object(), lambda message: message])
    def test_no_plugin(self, given: Any) -> None:
        """What is no plugin is refused, with what would be one."""
        with pytest.raises(PluginError, match="expected a plugin") as error:
            start_test_plugin(given)
        assert "decorate" in error.value.hint


def numbers(last: int) -> Callable[[], Iterator[Message]]:
    def count() -> Iterator[Message]:
        number = 0
        while last == 0 or number < last:
            number += 1
            yield Message(type="Number", payload=number)

    return count


class TestEnds:
    SOURCE = PluginMetadata(name="numbers", version="1.0.0", type="source")

    def test_source(self) -> None:
        """A source is read as far as is wanted, to its end, and on from a position."""
        with start_test_plugin(self.SOURCE, numbers(5)) as plugin:
            some = plugin.read(2)
            assert [1, 2] == [message.payload for message in some.messages]
            assert ([1, 2], False) == (some.positions, some.ended)
            rest = plugin.read(10, Resume(2, some.token))
            assert [3, 4, 5] == [message.payload for message in rest.messages]
            assert rest.ended

    def test_endless_source(self) -> None:
        """One without an end too."""
        with start_test_plugin(self.SOURCE, numbers(0)) as plugin:
            assert 1234 == plugin.read(1234).positions[-1]

    def test_consumer(self) -> None:
        """A consumer gets its messages at positions that go on; after an error the same again."""

        class Recorder(Base):
            def __init__(self) -> None:
                self.positions: list[int] = []
                self.is_busy = False

            def metadata(self) -> PluginMetadata:
                return PluginMetadata(name="recorder", version="1.0.0", type="consumer")

            def consume(self, delivery: Delivery) -> None:
                self.is_busy = not self.is_busy
                if self.is_busy:
                    raise Retry("busy")
                self.positions += delivery.positions

            def flush(self) -> int:
                return self.positions[-1]

        recorder = Recorder()
        with start_test_plugin(recorder) as plugin:
            for through in (2, 4):
                with pytest.raises(Retry):
                    plugin.consume([{"type": "A"}, {"type": "B"}])
                assert through == plugin.consume([{"type": "A"}, {"type": "B"}])
            with pytest.raises(PluginError, match="is a consumer and has no `process_batch`"):
                plugin.process({"type": "T"})
            with pytest.raises(PluginError, match="has no `read`"):
                plugin.read(1)
        assert [1, 2, 3, 4] == recorder.positions
