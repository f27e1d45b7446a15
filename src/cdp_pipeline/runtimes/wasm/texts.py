"""Messages as JSON text, for guests that take one at a time or a text of many.

Source: `spec/wasm-abi.md`, sections 4 and 7. Payloads cross as they are, so numbers keep
all their digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cdp_pipeline.runtimes.wasm.answer import INSTRUCTIONS, Answer, Status, error_of
from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid
from cdpplugin import Batch, Drop, OutputPart, Outputs, PluginError, SourceInfo, encode_json
from cdpplugin.payloads import JsonPayloads

_Raw = msgspec.Raw
_NULL = b"null"


class _Source(msgspec.Struct):
    name: str = ""
    network: str = ""
    uri: str = ""


class Output(msgspec.Struct):
    """A message as a guest gives it; what it leaves out is the input's."""

    id: str = ""
    type: str | None = None
    payload: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | None = None
    source: _Source | None = None
    trace_id: str | None = None
    content_type: str | None = None


class _Answered(msgspec.Struct):
    """What a text of many says to one message."""

    outputs: list[Output] = []
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    dropped: str | None = None


_one = msgspec.json.Decoder(Output)
_several = msgspec.json.Decoder(list[Output])
_answers = msgspec.json.Decoder(list[_Answered])
_encode = msgspec.json.Encoder().encode


def texts_of(batch: Batch) -> Iterator[bytes]:
    """Yield each message of *batch*, whose payloads are JSON, as a JSON object."""
    constant: dict[int, bytes] = {}
    rows = zip(
        batch.ids,
        batch.types,
        batch.payloads.wire_rows(),
        batch.metadata,
        batch.sources,
        batch.trace_ids,
        batch.content_types,
        strict=True,
    )
    for identity, kind, payload, metadata, source, trace, content in rows:
        known = constant.get(id(source))
        if known is None:
            known = constant[id(source)] = _encode(
                {"name": source.name, "network": source.network, "uri": source.uri}
            )
        yield b"".join(
            (
                b'{"id":', _encode(identity), b',"type":', _encode(kind), b',"payload":', payload,
                b',"metadata":', encode_json(metadata) if metadata else b"{}",
                b',"source":', known, b',"trace_id":', _encode(trace),
                b',"content_type":', _encode(content), b"}",
            )
        )  # fmt: skip


def text_of_many(batch: Batch) -> bytes:
    """Return all messages of *batch* as one JSON array."""
    return b"[" + b",".join(texts_of(batch)) + b"]"


class Collector:
    """Gathers the answers to the messages of one batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._outputs: list[tuple[int, Output]] = []
        self._errors: dict[int, PluginError] = {}
        self._dropped: dict[str, int] = {}

    def take(self, row: int, answer: Answer) -> None:
        """Take the answer to the message of *row*, alone."""
        if answer.status == Status.OK:
            try:
                self._outputs += [(row, output) for output in _outputs(answer.data)]
            except PluginError as error:
                self._errors[row] = error
        elif answer.status == Status.DROPPED and not answer.data:
            pass
        else:
            self.fail(row, error_of(answer, "`process`"))

    def take_many(self, data: bytes) -> None:
        """Take the answers to all messages.

        Raises:
            AnswerInvalid: They are not one for each.
        """
        try:
            found = _answers.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise AnswerInvalid(f"expected an array of answers of `process-batch`: {error}") from (
                error
            )
        if len(found) != len(self._batch):
            raise AnswerInvalid(
                f"expected {len(self._batch)} answers of `process-batch`, got {len(found)}"
            )
        for row, answered in enumerate(found):
            self._take_answered(row, answered)

    def _take_answered(self, row: int, answered: _Answered) -> None:
        if answered.error is not msgspec.UNSET:
            self.fail(row, _row_error(bytes(answered.error)))
        elif answered.dropped is not None:
            self.fail(row, Drop(answered.dropped or "dropped"))
        else:
            self._outputs += [(row, output) for output in answered.outputs]

    def fail(self, row: int, error: PluginError) -> None:
        """Note that *row* failed, or was dropped for a reason."""
        if isinstance(error, Drop):
            self._dropped[error.reason] = self._dropped.get(error.reason, 0) + 1
        else:
            self._errors[row] = error

    def outputs(self) -> Outputs:
        """Return everything as the contract knows it."""
        if not self._outputs:
            return Outputs((), self._errors, self._dropped)
        rows = [row for row, _ in self._outputs]
        given = [output for _, output in self._outputs]
        batch, payloads = self._batch, self._batch.payloads.json()
        columns = Batch(
            ids=[output.id for output in given],
            types=_column(rows, [o.type for o in given], batch.types),
            payloads=JsonPayloads(
                [
                    payloads[row] if output.payload is msgspec.UNSET else bytes(output.payload)
                    for row, output in self._outputs
                ]
            ),
            metadata=_column(rows, [o.metadata for o in given], batch.metadata),
            sources=_column(rows, [_source(o.source) for o in given], batch.sources),
            trace_ids=_column(rows, [o.trace_id for o in given], batch.trace_ids),
            content_types=_column(rows, [o.content_type for o in given], batch.content_types),
        )
        return Outputs((OutputPart(columns, rows),), self._errors, self._dropped)


def _column(rows: Sequence[int], given: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    return [inputs[row] if value is None else value for row, value in zip(rows, given, strict=True)]


def _source(source: _Source | None) -> SourceInfo | None:
    return None if source is None else SourceInfo(source.name, source.network, source.uri)


def _outputs(data: bytes) -> list[Output]:
    """Return the outputs that an answer of `process` holds.

    Raises:
        PluginError: plugin.output_invalid; it is no message.
    """
    text = data.strip()
    try:
        if not text or text == _NULL:
            return []
        return _several.decode(text) if text.startswith(b"[") else [_one.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PluginError(
            f"expected a message, an array of messages or nothing, got something else: {error}",
            code="plugin.output_invalid",
            hint="see spec/wasm-abi.md, section 4",
        ) from error


def _row_error(data: bytes) -> PluginError:
    """Return the error that an answer to one of many holds: an object, or a text."""
    found: Any = msgspec.json.decode(data)
    if isinstance(found, str):
        return error_of(Answer(Status.ERROR, found.encode()), "a message")
    instruction = found.get("instruction") if isinstance(found, Mapping) else None
    status = INSTRUCTIONS.get(str(instruction), Status.ERROR)
    return error_of(Answer(status, data), "a message")
