"""One message: what most plugin authors see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from cdpplugin.batch import JSON_CONTENT, NO_SOURCE, Batch
from cdpplugin.metadata import SourceInfo


class _FromBatch:
    """An attribute read from the batch on first use; its value then stands before this."""

    def __init__(self, read: Callable[[Batch, int], Any]) -> None:
        self._read = read

    def __set_name__(self, owner: type[Message], name: str) -> None:
        self._name = name

    def __get__(self, message: Message | None, owner: type[Message]) -> Any:
        if message is None or message._batch is None:
            raise AttributeError(f"`Message` has no attribute `{self._name}`")
        value = self._read(message._batch, message._row)
        setattr(message, self._name, value)
        return value


def _metadata(batch: Batch, row: int) -> dict[str, Any]:
    return deepcopy(dict(batch.metadata[row])) if batch.metadata[row] else {}


class Message:
    """A message: an id, a type, a payload and metadata.

    A message taken from a batch is a view: each attribute is read from the batch
    on first use. What was read or set lives in the instance's `__dict__`, so an
    empty `__dict__` means that the message is passed on as it came.

    Attributes:
        id: Unique and deterministic. Left empty in a new message, the host derives it
            from the input's id, the stage and the output's index.
        type: What kind of payload it carries, e.g. ``LedgerCloseMeta``.
        payload: Any JSON value; yours to change.
        metadata: A JSON object (numpy scalars are accepted); yours to change.
        source: Where it came from.
        trace_id: Trace id, or empty.
        content_type: Media type of the payload.
    """

    __slots__ = ("__dict__", "_batch", "_row")

    if TYPE_CHECKING:
        id: str
        type: str
        payload: Any
        metadata: dict[str, Any]
        source: SourceInfo
        trace_id: str
        content_type: str
    else:
        id = _FromBatch(lambda batch, row: batch.ids[row])
        type = _FromBatch(lambda batch, row: batch.types[row])
        payload = _FromBatch(lambda batch, row: batch.payloads.value(row))
        metadata = _FromBatch(_metadata)
        source = _FromBatch(lambda batch, row: batch.sources[row])
        trace_id = _FromBatch(lambda batch, row: batch.trace_ids[row])
        content_type = _FromBatch(lambda batch, row: batch.content_types[row])

    def __init__(
        self,
        id: str = "",  # noqa: A002
        type: str = "",  # noqa: A002
        payload: Any = None,
        metadata: Mapping[str, Any] | None = None,
        source: SourceInfo = NO_SOURCE,
        trace_id: str = "",
        content_type: str = JSON_CONTENT,
    ) -> None:
        self._batch: Batch | None = None
        self._row = 0
        self.id = id
        self.type = type
        self.payload = payload
        self.metadata = {} if metadata is None else dict(metadata)
        self.source = source
        self.trace_id = trace_id or str(self.metadata.get("trace_id", ""))
        self.content_type = content_type

    def __repr__(self) -> str:
        return f"Message(id={self.id!r}, type={self.type!r}, payload={self.payload!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        names = ("id", "type", "payload", "metadata", "source", "trace_id", "content_type")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]


def view(batch: Batch, row: int) -> Message:
    """Return row *row* of *batch* as a message."""
    message = Message.__new__(Message)
    message._batch = batch
    message._row = row
    return message


def views(batch: Batch) -> Iterator[Message]:
    """Yield every row of *batch* as a message, in order."""
    new = Message.__new__
    for row in range(len(batch)):
        message = new(Message)
        message._batch = batch
        message._row = row
        yield message
