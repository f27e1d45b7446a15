"""Messages that fit the limit of the connection: refused or cut here, not by a broken stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import Message as Proto

from cdpplugin import wire
from cdpplugin.delivery import SourceBatch
from cdpplugin.errors import Fatal, PluginError
from cdpplugin.v1 import plugin_pb2 as pb

P = TypeVar("P", bound=Proto)

_ENVELOPE_BYTES = 1024
"""Room for what surrounds an answer: the sequence, the credits, the lengths."""


class MessageTooLarge(PluginError):
    """A message exceeds the limit of the connection."""

    code = "message.too_large"
    hint = "answer less for each message, or raise the host's limit on message size"


def fitting(message: P, limit_bytes: int) -> P:
    """Return *message*.

    Raises:
        MessageTooLarge: It exceeds *limit_bytes*.
    """
    size = message.ByteSize()
    if size > limit_bytes - _ENVELOPE_BYTES:
        raise MessageTooLarge(
            f"expected an answer of at most {limit_bytes} bytes, got one of {size}"
        )
    return message


def cut_to_fit(found: SourceBatch, limit_bytes: int) -> Iterator[pb.ReadResponse]:
    """Yield what a source read in as few messages as fit *limit_bytes*.

    Raises:
        Fatal: message.too_large; a single row exceeds the limit.
    """
    message = wire.encode_source_batch(found)
    rows = len(found.batch)
    if message.ByteSize() <= limit_bytes - _ENVELOPE_BYTES:
        yield message
        return
    if rows < 2:
        raise Fatal(
            f"expected rows of at most {limit_bytes} bytes, got one of {message.ByteSize()}",
            code=MessageTooLarge.code,
            hint="raise the host's limit on message size",
        )
    first, second = _halves(found, rows // 2)
    yield from cut_to_fit(first, limit_bytes)
    yield from cut_to_fit(second, limit_bytes)


def _halves(found: SourceBatch, middle: int) -> tuple[SourceBatch, SourceBatch]:
    """Cut *found* in two; the first is complete only through what the second does not hold."""
    batch, positions = found.batch, found.positions
    first = SourceBatch(batch.slice(0, middle), positions[:middle], positions[middle] - 1)
    second = batch.slice(middle, len(batch))
    return first, SourceBatch(second, positions[middle:], found.mark, found.token)
