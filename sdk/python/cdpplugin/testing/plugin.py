"""A plugin that was configured and started, as a unit test sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from cdpplugin.backing import RawPayloads
from cdpplugin.batch import Batch
from cdpplugin.delivery import Delivery, Resume, SourceBatch
from cdpplugin.errors import PluginError, UnsupportedEncoding
from cdpplugin.function import as_plugin_error
from cdpplugin.json import encode_json
from cdpplugin.message import Message, views
from cdpplugin.metadata import HealthStatus, PluginMetadata
from cdpplugin.outputs import Outputs
from cdpplugin.payloads import JsonPayloads, Sep51Payloads
from cdpplugin.testing.life import Life
from cdpplugin.testing.samples import with_payloads

BACKINGS: Mapping[str, Any] = {
    "json": JsonPayloads,
    "sep51": Sep51Payloads,
    "xdr": RawPayloads,
}
MessageLike = Message | Mapping[str, Any]
"""A message, or its fields: `{"type": "Payment", "payload": {"amount": 5}}`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a processor made of a batch.

    Attributes:
        outputs: All outputs, in order. One without an id gets one from the host.
        rows: For each output the input that it derives from, counted from 0.
        errors: What went wrong, by input.
        dropped: How many inputs were left out, by reason, for those that gave one.
    """

    outputs: list[Message]
    rows: list[int]
    errors: Mapping[int, PluginError]
    dropped: Mapping[str, int]


@dataclass(slots=True)
class Reading:
    """What was read of a source.

    Attributes:
        messages: The messages, in order.
        positions: The position of each.
        token: The last token that the source gave, to read on after.
        ended: Whether the source has come to its end.
    """

    messages: list[Message] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    token: bytes = b""
    ended: bool = False


class TestPlugin:
    """A plugin under test; its methods are plain calls, from plain and from async tests.

    Attributes:
        dropped: Why the last message that `process` was given was left out, if it was and the
            plugin said why.
    """

    __test__ = False  # a test runner is not to take it for a class of tests

    def __init__(self, life: Life, timeout_s: float) -> None:
        self._life, self._timeout_s = life, timeout_s
        self._position = 0
        self.dropped = ""

    def __enter__(self) -> TestPlugin:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def metadata(self) -> PluginMetadata:
        """Return what the plugin says of itself."""
        metadata: PluginMetadata = self._life.handle.metadata()
        return metadata

    def process(self, message: MessageLike) -> Message | None:
        """Hand over one message; return its output, None where it was left out.

        Raises:
            PluginError: What the plugin raised: `Retry`, `Fatal`, another;
                plugin.output_invalid: there are several outputs.
        """
        self.dropped = ""
        answer = self.process_all([message])
        for error in answer.errors.values():
            raise error
        if len(answer.outputs) > 1:
            raise PluginError(
                f"expected one output, got {len(answer.outputs)}",
                code="plugin.output_invalid",
                hint="call `process_all`, which returns them all",
            )
        self.dropped = next(iter(answer.dropped), "")
        return answer.outputs[0] if answer.outputs else None

    def process_all(self, messages: Iterable[MessageLike]) -> Answer:
        """Hand over messages as one batch.

        Raises:
            PluginError: `Retry` or `Fatal` for the batch as a whole.
        """
        batch = self._batch([_message(each) for each in messages])
        outputs: Outputs = self._call("process_batch", batch)
        found = [
            (row, message)
            for part in outputs.parts
            for row, message in zip(part.rows, views(part.batch), strict=True)
        ]
        found.sort(key=lambda each: each[0])
        return Answer(
            outputs=[message for _, message in found],
            rows=[row for row, _ in found],
            errors={row: as_plugin_error(error) for row, error in outputs.errors.items()},
            dropped=outputs.dropped,
        )

    def read(self, limit: int, after: Resume | None = None) -> Reading:
        """Read a source, from its start or *after*, until there are *limit* messages or it ends."""
        self._require("read")
        return self._life.call(_read(self._life.handle, limit, after), self._timeout_s)

    def consume(self, messages: Iterable[MessageLike]) -> int | None:
        """Hand a consumer messages as one delivery, and have it make everything durable.

        Positions count all messages from 1. After an error the same messages may be handed over
        again, at the same positions.

        Returns:
            The position through which everything is durable; None where it did not say.
        """
        batch = self._batch([_message(each) for each in messages])
        through = self._position + len(batch)
        positions = range(self._position + 1, through + 1)
        durable: int | None = self._call("consume", Delivery(batch, positions, through))
        flushed: int | None = self._call("flush")
        self._position = through
        return durable if flushed is None else flushed

    def health(self) -> HealthStatus:
        """Return how the plugin says it is."""
        status: HealthStatus = self._call("health")
        return status

    def stop(self) -> None:
        """Stop the plugin and end it, once.

        Raises:
            PluginError: What the plugin raises at its stop.
        """
        self._life.end()

    def _call(self, name: str, *arguments: Any) -> Any:
        self._require(name)
        call = getattr(self._life.handle, name)
        return self._life.call(call(*arguments), self._timeout_s)

    def _require(self, name: str) -> None:
        if not hasattr(self._life.handle, name):
            metadata = self.metadata()
            raise PluginError(
                f"`{metadata.name}` is a {metadata.type} and has no `{name}`",
                code="plugin.call_unsupported",
            )

    def _batch(self, messages: list[Message]) -> Batch:
        """Return messages in the encoding that the plugin takes; bytes go as they are."""
        encoding = self.metadata().input_encoding
        if encoding not in BACKINGS:
            raise UnsupportedEncoding(
                f"a plugin that takes {encoding} is not handed messages",
                hint="try it with `flowctl test`, which makes Arrow of them",
            )
        texts = [
            m.payload if isinstance(m.payload, bytes) else encode_json(m.payload) for m in messages
        ]
        return with_payloads(messages, BACKINGS[encoding](texts))


def _message(given: MessageLike) -> Message:
    return given if isinstance(given, Message) else Message(**given)


async def _read(handle: Any, limit: int, after: Resume | None) -> Reading:
    reading = Reading()
    async with aclosing(handle.read(after)) as stream:
        async for found in stream:
            _take(reading, found, limit, after)
            if len(reading.messages) >= limit:
                return reading
    reading.ended = True
    return reading


def _take(reading: Reading, found: SourceBatch, limit: int, after: Resume | None) -> None:
    for position, message in zip(found.positions, views(found.batch), strict=True):
        if after is not None and position <= after.position:
            continue  # a host leaves out what comes again
        if len(reading.messages) == limit:
            return
        reading.messages.append(message)
        reading.positions.append(position)
    reading.token = found.token or reading.token
