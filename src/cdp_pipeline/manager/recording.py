"""Record what a stage is asked and what it answers, while it works.

A recording sees whole answers after they have been given: nothing that flows is changed or
waits. It keeps plain text of its own, so many messages and bytes at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cdp_pipeline.errors import StateError
from cdp_pipeline.runtimes.lost import PluginLost
from cdpplugin import (
    Batch,
    Drop,
    Message,
    Outputs,
    PluginError,
    Retry,
    decode_json,
    encode_json,
    views,
)
from cdpplugin.function import as_plugin_error

Mask = Callable[[str], str]
"""Hides the secrets in a text."""
MOST_BYTES = 16 << 20
"""Bytes of payloads and metadata that one recording keeps."""


class RecordingBusy(StateError):
    """Two recordings of one stage."""

    code = "record.busy"
    hint = "wait until the other recording has ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMessage:
    """A message as it was.

    Attributes:
        id: Its id; an output's is empty.
        type: Its type.
        payload: Its payload, as the text of a JSON value.
        metadata: Its metadata, as the text of a JSON object.
    """

    id: str
    type: str
    payload: str
    metadata: str

    @classmethod
    def of(cls, message: Message) -> RecordedMessage:
        """Return *message* as it is now.

        Raises:
            PluginError: It is no JSON.
        """
        payload, metadata = encode_json(message.payload), encode_json(dict(message.metadata))
        return cls(
            id=message.id, type=message.type, payload=payload.decode(), metadata=metadata.decode()
        )

    @property
    def size_bytes(self) -> int:
        """Its size, roughly."""
        return len(self.payload) + len(self.metadata)

    def masked(self, mask: Mask) -> RecordedMessage:
        """Return it without what *mask* hides in any text of it."""
        payload, metadata = (
            encode_json(_masked(decode_json(text), mask)).decode()
            for text in (self.payload, self.metadata)
        )
        return replace(self, id=mask(self.id), payload=payload, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCase:
    """One message at a stage, and what came of it.

    Attributes:
        given: The message.
        outputs: What came out, in order; none for a message that was dropped.
        code: Code of the error with which it failed; else empty.
    """

    given: RecordedMessage
    outputs: Sequence[RecordedMessage] = field(default=())
    code: str = ""

    @property
    def size_bytes(self) -> int:
        """Its size, roughly."""
        return self.given.size_bytes + sum(each.size_bytes for each in self.outputs)

    def masked(self, mask: Mask) -> RecordedCase:
        """Return it without what *mask* hides in any text of it."""
        outputs = [each.masked(mask) for each in self.outputs]
        return replace(self, given=self.given.masked(mask), outputs=outputs)


def _masked(value: Any, mask: Mask) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _masked(inner, mask) for key, inner in value.items()}
    return [_masked(inner, mask) for inner in value] if isinstance(value, list) else value


class Recording:
    """The next messages of one stage.

    Args:
        count: How many are recorded.
        size_bytes: Most bytes that are kept; a message that goes beyond ends the recording.

    Attributes:
        cases: What was recorded so far.
        left_out: Messages that are no JSON, and cannot stand in a file of cases.
        done: Set once it has enough.
    """

    def __init__(self, count: int, size_bytes: int = MOST_BYTES) -> None:
        self.cases: list[RecordedCase] = []
        self.left_out = 0
        self.done = asyncio.Event()
        self._count = count
        self._bytes_left = size_bytes

    def answered(self, batch: Batch, outputs: Outputs) -> None:
        """Note what a processor answered."""
        rows = min(len(batch), self._count - len(self.cases))
        if self.done.is_set() or rows <= 0:
            return
        try:
            self._rows(batch, outputs, rows)
        except Exception:  # whatever is wrong with them is the stream's matter, not ours
            self.left_out += 1

    def _rows(self, batch: Batch, outputs: Outputs, rows: int) -> None:
        found: dict[int, list[Message]] = {row: [] for row in range(rows)}
        for part in outputs.parts:
            for row, message in zip(part.rows, views(part.batch), strict=True):
                if row >= rows:
                    break  # rows never decrease
                found[row].append(message)
        for row, message in enumerate(views(batch.slice(0, rows))):
            self._note(message, found[row], outputs.errors.get(row))

    def failed(self, batch: Batch, error: Exception) -> None:
        """Note an error for a whole batch; of one with several rows nobody knows which it was."""
        if len(batch) == 1 and not isinstance(error, PluginLost):
            [message] = views(batch)
            self._note(message, [], as_plugin_error(error))

    def accepted(self, batch: Batch) -> None:
        """Note what a consumer took."""
        for message in views(batch.slice(0, min(len(batch), self._count - len(self.cases)))):
            self._note(message, [], None)

    def _note(
        self, message: Message, outputs: Sequence[Message], error: PluginError | None
    ) -> None:
        if self.done.is_set() or isinstance(error, Retry):  # it comes again
            return
        code = "" if error is None or isinstance(error, Drop) else error.code
        try:
            told = [RecordedMessage.of(each) for each in outputs]
            case = RecordedCase(given=RecordedMessage.of(message), outputs=told, code=code)
        except Exception:
            self.left_out += 1
            return
        self._bytes_left -= case.size_bytes
        if self._bytes_left >= 0:
            self.cases.append(case)
        if self._bytes_left < 0 or len(self.cases) >= self._count:
            self.done.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was recorded of a stage, and what the stage is made from.

    Attributes:
        stage: The stage.
        reference: `name@version` of its plugin at the end.
        kind: `processor` or `consumer`.
        is_stateful: Whether what came out may also depend on what came before.
        cases: The messages, in the order in which they were answered; secrets of the pipeline
            are masked in them.
        masked: How many of the cases held such a secret.
        left_out: Messages that are no JSON.
        origin: `plugin` (an entry under `plugins`; empty for a component of the host), `type`
            (the component, else empty) and `config`, secret values as variables.
    """

    stage: str
    reference: str
    kind: str
    is_stateful: bool
    cases: Sequence[RecordedCase]
    masked: int
    left_out: int
    origin: Mapping[str, object]
