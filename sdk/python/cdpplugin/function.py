"""The one-function plugin: write a function, get a plugin."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.delivery import Delivery, Resume, SourceBatch, SourceDescription
from cdpplugin.errors import Drop, PluginError
from cdpplugin.log import get_logger
from cdpplugin.message import Message, views
from cdpplugin.metadata import PluginMetadata, identity
from cdpplugin.outputs import OutputCollector, OutputPart, Outputs
from cdpplugin.protocols import Base

Result = Message | Sequence[Message] | None
MessageFunction = Callable[[Message], Result] | Callable[[Message], Awaitable[Result]]
BatchFunction = Callable[[Batch], Batch | Outputs] | Callable[[Batch], Awaitable[Batch | Outputs]]


def _is_async(function: Callable[..., Any]) -> bool:
    """Tell a coroutine function, also in the shape of an object with `__call__`."""
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself is asked for
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


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
        self._asynchronous = _is_async(function)
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
        PluginError: plugin.output_invalid; a plain batch must have one row for each input
            row, and outputs and errors must name rows of the input, in order.
    """
    if isinstance(answer, Outputs):
        _check(answer, len(batch))
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


def _check(outputs: Outputs, rows: int) -> None:
    """Refuse outputs whose rows would be lost or mixed up behind this stage."""
    for part in outputs.parts:
        if len(part.rows) != len(part.batch):
            _refuse(f"expected an input row for each of {len(part.batch)} outputs", len(part.rows))
        if not _ordered(part):
            _refuse("expected input rows that never decrease", list(part.rows))
        if len(part.rows) and not 0 <= part.rows[0] <= part.rows[-1] < rows:
            _refuse(f"expected input rows from 0 to {rows - 1}", list(part.rows))
    if outputs.errors and not 0 <= min(outputs.errors) <= max(outputs.errors) < rows:
        _refuse(f"expected errors of input rows from 0 to {rows - 1}", list(outputs.errors))


def _ordered(part: OutputPart) -> bool:
    rows = part.rows
    if isinstance(rows, range):
        return rows.step > 0
    held = rows if isinstance(rows, list) else list(rows)
    return held == sorted(held)


def _refuse(expected: str, got: Any) -> None:
    shown = str(got)
    raise PluginError(
        f"{expected}, got {shown if len(shown) < 80 else shown[:76] + ' ...'}",
        code="plugin.output_invalid",
        hint="name for each output the row of the batch that it derives from, in order",
    )


def processor(
    name: str, version: str = "0.0.0", *, batch: bool = False, **metadata: Any
) -> Callable[[Callable[..., Any]], FunctionProcessor]:
    """Make a processor plugin of the function below; *metadata* as in `PluginMetadata`.

    Raises:
        PluginError: plugin.metadata_invalid; *version* is no semantic version.
    """
    made = identity(name, version, "processor", **metadata)
    return lambda function: FunctionProcessor(made, function, batch=batch)


class FunctionConsumer(Base):
    """A consumer made of one function, called for each message in order.

    A message is durable when the function returns: a delivery that failed half-way comes
    again, so the function sees some of its messages twice (at least once).
    """

    def __init__(self, metadata: PluginMetadata, function: Callable[[Message], Any]) -> None:
        self._metadata = metadata
        self._function = function
        self.config: Mapping[str, Any] = {}
        self.consume = self._consume_async if _is_async(function) else self._consume

    consume: Callable[[Delivery], Any]

    def __call__(self, *args: Any) -> Any:
        """Call the function itself, as a unit test does."""
        return self._function(*args)

    def metadata(self) -> PluginMetadata:
        """Return what the decorator was given."""
        return self._metadata

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Keep the configuration for the function to read as ``plugin.config``."""
        self.config = config

    def _consume(self, delivery: Delivery) -> int:
        for message in views(delivery.batch):
            try:
                self._function(message)
            except Drop as drop:
                _note(message, drop)
        return delivery.completed_through

    async def _consume_async(self, delivery: Delivery) -> int:
        for message in views(delivery.batch):
            try:
                await self._function(message)
            except Drop as drop:
                _note(message, drop)
        return delivery.completed_through


def _note(message: Message, drop: Drop) -> None:
    get_logger().debug("message dropped", id=message.id, reason=drop.reason)


def consumer(
    name: str, version: str = "0.0.0", **metadata: Any
) -> Callable[[Callable[[Message], Any]], FunctionConsumer]:
    """Make a consumer plugin of the function below; *metadata* as in `PluginMetadata`.

    Raises:
        PluginError: plugin.metadata_invalid; *version* is no semantic version.
    """
    made = identity(name, version, "consumer", **metadata)
    return lambda function: FunctionConsumer(made, function)


class FunctionSource(Base):
    """A source made of one generator function of messages; its positions count them from 1.

    After a restart the function runs from its start again, and what is already durable is
    left out: it must give the same messages in the same order.
    """

    def __init__(self, metadata: PluginMetadata, function: Callable[[], Any]) -> None:
        self._metadata = metadata
        self._function = function
        self.config: Mapping[str, Any] = {}
        self.read = self._read_async if inspect.isasyncgenfunction(function) else self._read

    read: Callable[[Resume | None], Any]

    def metadata(self) -> PluginMetadata:
        """Return what the decorator was given."""
        return self._metadata

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Keep the configuration for the function to read as ``plugin.config``."""
        self.config = config

    async def describe(self) -> SourceDescription:
        """Name the stream after the plugin."""
        return SourceDescription(identity=self._metadata.name, unit="messages")

    def _read(self, after: Resume | None) -> Iterator[SourceBatch]:
        done = after.position if after else 0
        for position, message in enumerate(self._function(), 1):
            if position > done:
                yield _single(message, position)

    async def _read_async(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        done = after.position if after else 0
        position = 0
        async with aclosing(self._function()) as messages:
            async for message in messages:
                position += 1
                if position > done:
                    yield _single(message, position)


def _single(message: Message, position: int) -> SourceBatch:
    """Return *message* as a batch of one: columns made just as a processor's are."""
    collector = OutputCollector(Batch.empty())
    collector.add(0, message)
    [part] = collector.outputs().parts
    return SourceBatch(part.batch, [position])


def source(
    name: str, version: str = "0.0.0", **metadata: Any
) -> Callable[[Callable[[], Any]], FunctionSource]:
    """Make a source plugin of the generator function below; *metadata* as in `PluginMetadata`.

    Raises:
        PluginError: plugin.metadata_invalid; *version* is no semantic version.
    """
    made = identity(name, version, "source", **metadata)
    return lambda function: FunctionSource(made, function)
