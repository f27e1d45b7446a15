"""`Batch` to and from `MessageBatch`: columns stay columns, nothing is built row by row.

A column of one entry in a batch of several rows is constant; an empty column holds the
default. What nobody reads is not parsed: metadata stay JSON bytes until they are read,
and go on as the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

from cdpplugin.backing import BACKINGS, Backings, Received
from cdpplugin.batch import JSON_CONTENT, NO_METADATA, NO_SOURCE, Batch, Constant, Lazy
from cdpplugin.errors import PluginError, UnsupportedEncoding
from cdpplugin.metadata import Encoding, SourceInfo
from cdpplugin.payloads import PayloadInvalid, Payloads, decode_json, encode_json
from cdpplugin.v1 import plugin_pb2 as pb

T = TypeVar("T")

_TEXT_ENCODINGS = ("json", "sep51")


class BatchInvalid(PluginError):
    """The columns of a batch do not fit together."""

    code = "message.batch_invalid"
    hint = "give each column no entry, one entry, or one entry a row"


class ReceivedMetadata(Lazy[Mapping[str, Any]]):
    """A metadata column as it came; a row is parsed when somebody reads it.

    Attributes:
        texts: Each row as JSON bytes, empty for `{}`.
    """

    __slots__ = ("_values", "texts")

    def __init__(self, texts: Sequence[bytes]) -> None:
        # Nothing makes all rows at once; a reference to `self` here would be a cycle.
        super().__init__(len(texts), tuple)
        self.texts = texts
        self._values: list[Mapping[str, Any] | None] = [None] * len(texts)

    def _read(self) -> Sequence[Mapping[str, Any]]:
        return [self._value(row) for row in range(len(self.texts))]

    def _value(self, row: int) -> Mapping[str, Any]:
        value = self._values[row]
        if value is None:
            value = self._values[row] = metadata_of(self.texts[row])
        return value

    @overload
    def __getitem__(self, row: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, row: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        """Return a row; one that cannot be parsed fails alone."""
        return super().__getitem__(row) if isinstance(row, slice) else self._value(row)

    def take(self, rows: Sequence[int]) -> ReceivedMetadata:
        return ReceivedMetadata([self.texts[row] for row in rows])

    def slice(self, start: int, stop: int) -> ReceivedMetadata:
        return ReceivedMetadata(self.texts[start:stop])


def metadata_of(text: bytes) -> Mapping[str, Any]:
    """Return one row's metadata.

    Raises:
        PayloadInvalid: *text* is not a JSON object.
    """
    if not text:
        return NO_METADATA
    value = decode_json(text)
    if not isinstance(value, dict):
        raise PayloadInvalid(f"expected metadata to be a JSON object, got `{text[:40]!r}`")
    return value


def encode_batch(batch: Batch, encoding: Encoding | None = None) -> pb.MessageBatch:
    """Return *batch* as it crosses to another process, its payloads in *encoding*.

    None leaves the payloads in the encoding that they have.

    Raises:
        UnsupportedEncoding: They have no form in *encoding*.
    """
    payloads = batch.payloads if encoding is None else batch.payloads.to(encoding)
    message = pb.MessageBatch(rows=len(batch), encoding=payloads.encoding)
    if not len(batch):
        return message
    _encode_payloads(message, payloads)
    message.ids.extend(_column(batch.ids, ""))
    message.types.extend(_column(batch.types, ""))
    message.metadata.extend(_metadata_texts(batch.metadata))
    message.sources.extend(map(_source, _column(batch.sources, NO_SOURCE)))
    message.trace_ids.extend(_column(batch.trace_ids, ""))
    message.content_types.extend(_column(batch.content_types, JSON_CONTENT))
    return message


def _encode_payloads(message: pb.MessageBatch, payloads: Payloads) -> None:
    if payloads.encoding == "arrow":
        message.arrow = payloads.arrow_ipc()
    else:
        rows = payloads.wire_rows()
        message.payloads.extend([rows.value] if isinstance(rows, Constant) else rows)


def _column(column: Sequence[T], default: T) -> Iterable[T]:
    """Return the entries that stand for *column*: none, one, or all of them."""
    first = column[0]
    if not isinstance(column, Constant) and (
        first != column[-1] or any(value != first for value in column)
    ):
        return column
    return () if first == default else (first,)


def _metadata_texts(column: Sequence[Mapping[str, Any]]) -> Iterable[bytes]:
    if isinstance(column, ReceivedMetadata):
        return _column(column.texts, b"")
    if isinstance(column, Constant):
        return (encode_json(column.value),) if column.value else ()
    texts = [encode_json(metadata) if metadata else b"" for metadata in column]
    return _column(texts, b"")


def _source(source: SourceInfo) -> pb.SourceInfo:
    return pb.SourceInfo(name=source.name, network=source.network, uri=source.uri)


def decode_batch(message: pb.MessageBatch, backings: Backings = BACKINGS) -> Batch:
    """Return the batch that *message* stands for; *backings* make its payload column.

    Raises:
        BatchInvalid: Its columns do not fit together.
        UnsupportedEncoding: Nobody here reads its payload encoding.
    """
    rows, encoding = message.rows, message.encoding or "json"
    types = _expanded("types", message.types, rows, "")
    sources = _sources(message.sources, rows)
    content_types = _expanded("content_types", message.content_types, rows, JSON_CONTENT)
    if not isinstance(content_types, Constant) and "" in content_types:
        content_types = [kind or JSON_CONTENT for kind in content_types]
    texts = _expanded("metadata", message.metadata, rows, b"")
    return Batch(
        types=types,
        payloads=_payloads(message, encoding, types, sources, backings),
        ids=_expanded("ids", message.ids, rows, ""),
        metadata=_metadata(texts),
        sources=sources,
        trace_ids=_expanded("trace_ids", message.trace_ids, rows, ""),
        content_types=content_types,
    )


def _expanded(name: str, entries: Sequence[T], rows: int, default: T) -> Sequence[T]:
    """Return a column of *rows* entries.

    Raises:
        BatchInvalid: There are neither none, nor one, nor *rows* entries.
    """
    count = len(entries)
    if not count:
        return Constant(default, rows)
    if count == 1 and rows:
        return Constant(entries[0] or default, rows)
    if count != rows:
        raise BatchInvalid(f"expected {rows} entries in column `{name}`, one a row, got {count}")
    return list(entries)


def _sources(entries: Sequence[pb.SourceInfo], rows: int) -> Sequence[SourceInfo]:
    infos = [SourceInfo(entry.name, entry.network, entry.uri) for entry in entries]
    return _expanded("sources", infos, rows, NO_SOURCE)


def _metadata(texts: Sequence[bytes]) -> Sequence[Mapping[str, Any]]:
    if isinstance(texts, Constant):
        return Constant(metadata_of(texts.value), len(texts))
    return ReceivedMetadata(texts)


def _payloads(
    message: pb.MessageBatch,
    encoding: str,
    types: Sequence[str],
    sources: Sequence[SourceInfo],
    backings: Backings,
) -> Payloads:
    """Return the payload column.

    Raises:
        BatchInvalid: It has another number of rows than the batch.
        UnsupportedEncoding: Nobody here reads *encoding*.
    """
    make: Callable[[Received], Payloads] | None = backings.get(encoding)
    if make is None:
        raise UnsupportedEncoding(
            f"expected payloads in one of {', '.join(f'`{e}`' for e in backings)}, got `{encoding}`"
        )
    is_text = encoding in _TEXT_ENCODINGS
    if encoding == "arrow" and message.rows:
        rows: Sequence[bytes] = ()
    else:
        rows = _expanded("payloads", message.payloads, message.rows, b"null" if is_text else b"")
        if is_text and not isinstance(rows, Constant) and b"" in rows:
            rows = [row or b"null" for row in rows]
    if not message.rows:
        return BACKINGS["json"](Received((), b"", (), ()))
    payloads = make(Received(rows, message.arrow, types, sources))
    if len(payloads) != message.rows:
        raise BatchInvalid(f"expected {message.rows} payloads, one a row, got {len(payloads)}")
    return payloads
