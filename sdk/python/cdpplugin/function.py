"""The one-function plugin: write a function, get a plugin."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.delivery import Context
from cdpplugin.errors import Drop, PluginError
from cdpplugin.message import Message, views
from cdpplugin.metadata import PluginMetadata
from cdpplugin.outputs import OutputCollector, Outputs
from cdpplugin.protocols import Base

Result = Message | Sequence[Message] | None
MessageFunction = Callable[[Message], Result] | Callable[[Message], Awaitable[Result]]
BatchFunction = Callable[[Batch], Batch | Outputs] | Callable[[Batch], Awaitable[Batch | Outputs]]


def as_plugin_error(error: Exception) -> PluginError:
    """Return *error* as the contract knows it; foreign exceptions keep their name and text."""
    if isinstance(error, PluginError):
        return error
    wrapped = PluginError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


class FunctionProcessor(Base):
    """A processor made of one function.

    The function takes a `Message` and returns one, several or None (drop); with
    *batch* it takes a `Batch` and returns a `Batch` (row for row) or `Outputs`.
    """

    def __init__(
        self, metadata: PluginMetadata, function: Callable[..., Any], *, batch: bool = False
    ) -> None:
        self._metadata = metadata
        self._function = function
        self._asynchronous = inspect.iscoroutinefunction(function)
        self.config: Mapping[str, Any] = {}
        if batch:
            self.process_batch = self._batch_async if self._asynchronous else self._batch
        else:
            self.process_batch = self._messages_async if self._asynchronous else self._messages

    process_batch: Callable[[Batch], Any]

    def __call__(self, *args: Any) -> Any:
        """Call the function itself, as a unit test does."""
        return self._function(*args)

    def metadata(self) -> PluginMetadata:
        """Return what the decorator was given."""
        return self._metadata

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Keep the configuration for the function to read as ``plugin.config``."""
        self.config = config

    def _messages(self, batch: Batch) -> Outputs:
        function, collector = self._function, OutputCollector(batch)
        take = collector.add_result
        for row, message in enumerate(views(batch)):
            try:
                take(row, function(message))
            except Drop as drop:
                collector.drop(drop.reason)
            except Exception as error:
                collector.fail(row, as_plugin_error(error))
        return collector.outputs()

    async def _messages_async(self, batch: Batch) -> Outputs:
        collector = OutputCollector(batch)
        for row, message in enumerate(views(batch)):
            try:
                collector.add_result(row, await self._function(message))
            except Drop as drop:
                collector.drop(drop.reason)
            except Exception as error:
                collector.fail(row, as_plugin_error(error))
        return collector.outputs()

    def _batch(self, batch: Batch) -> Outputs:
        return as_outputs(self._function(batch), batch)

    async def _batch_async(self, batch: Batch) -> Outputs:
        return as_outputs(await self._function(batch), batch)


def as_outputs(answer: Batch | Outputs, batch: Batch) -> Outputs:
    """Return a batch function's *answer* as `Outputs`.

    Raises:
        PluginError: A plain batch must have one row for each input row.
    """
    if isinstance(answer, Outputs):
        return answer
    if not isinstance(answer, Batch):
        raise PluginError(
            f"expected a Batch or Outputs, got `{type(answer).__name__}`",
            code="plugin.output_invalid",
        )
    if len(answer) != len(batch):
        raise PluginError(
            f"expected {len(batch)} rows, one for each input row, got {len(answer)}",
            code="plugin.output_invalid",
            hint="return Outputs with parts that name the input row of each output",
        )
    return Outputs.each(answer)


def processor(
    name: str, version: str = "0.0.0", *, batch: bool = False, **metadata: Any
) -> Callable[[Callable[..., Any]], FunctionProcessor]:
    """Make a processor plugin of the function below; *metadata* as in `PluginMetadata`."""
    identity = PluginMetadata(name, version, "processor", **metadata)
    return lambda function: FunctionProcessor(identity, function, batch=batch)


class FunctionConsumer(Base):
    """A consumer made of one function: durable when the function returns."""

    def __init__(self, metadata: PluginMetadata, function: Callable[[Message], Any]) -> None:
        self._metadata = metadata
        self._function = function

    def metadata(self) -> PluginMetadata:
        """Return what the decorator was given."""
        return self._metadata

    async def start(self, context: Context) -> None:
        """Open nothing: the function does what it needs."""

    async def consume(self, delivery: Any) -> int:
        """Call the function for each message, in order."""
        for message in views(delivery.batch):
            answer = self._function(message)
            if inspect.isawaitable(answer):
                await answer
        return int(delivery.completed_through)


def consumer(
    name: str, version: str = "0.0.0", **metadata: Any
) -> Callable[[Callable[[Message], Any]], FunctionConsumer]:
    """Make a consumer plugin of the function below; *metadata* as in `PluginMetadata`."""
    identity = PluginMetadata(name, version, "consumer", **metadata)
    return lambda function: FunctionConsumer(identity, function)


class FunctionSource(Base):
    """A source made of one generator function of messages; its positions count them from 1."""

    def __init__(self, metadata: PluginMetadata, function: Callable[[], Any]) -> None:
        self._metadata = metadata
        self._function = function

    def metadata(self) -> PluginMetadata:
        """Return what the decorator was given."""
        return self._metadata

    async def describe(self) -> Any:
        """Name the stream after the plugin."""
        from cdpplugin.delivery import SourceDescription

        return SourceDescription(identity=self._metadata.name, unit="messages")

    async def read(self, after: Any) -> AsyncIterator[Any]:
        """Yield the function's messages one at a time, leaving out those already durable."""
        from cdpplugin.delivery import SourceBatch

        position = 0
        done = after.position if after else 0
        async for message in _each(self._function()):
            position += 1
            if position > done:
                yield SourceBatch(_single(message), [position])


def _single(message: Message) -> Batch:
    return Batch.of(
        message.type,
        [message.payload],
        ids=[message.id],
        metadata=[message.metadata],
        sources=[message.source],
        trace_ids=[message.trace_id],
    )


async def _each(messages: Any) -> AsyncIterator[Message]:
    if hasattr(messages, "__aiter__"):
        async for message in messages:
            yield message
    else:
        for message in messages:
            yield message


def source(
    name: str, version: str = "0.0.0", **metadata: Any
) -> Callable[[Callable[[], Any]], FunctionSource]:
    """Make a source plugin of the generator function below; *metadata* as in `PluginMetadata`."""
    identity = PluginMetadata(name, version, "source", **metadata)
    return lambda function: FunctionSource(identity, function)
