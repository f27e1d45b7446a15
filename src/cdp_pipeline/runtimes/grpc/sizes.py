"""Cut a batch into messages that fit: by bytes, and never a row in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from cdp_pipeline.runtimes.encodable import encodable
from cdp_pipeline.runtimes.grpc.faults import MessageTooLarge
from cdpplugin import Batch, Encoding, PluginError
from cdpplugin.wire import encode_batch

ENVELOPE_BYTES = 4096
"""Room for what surrounds a batch in a message: the sequence, positions come on top."""
POSITION_BYTES = 10
"""Most bytes of one position (a varint of 64 bits)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a batch, in a message that fits.

    Attributes:
        rows: Which rows of the batch.
        data: They, as the bytes of a `MessageBatch`.
    """

    rows: Sequence[int]
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch as it can be sent.

    Attributes:
        pieces: In order; one for a batch that fits.
        errors: The rows that cannot be sent, and why.
    """

    pieces: Sequence[Piece]
    errors: dict[int, PluginError]


def cut(batch: Batch, encoding: Encoding, limit_bytes: int) -> Cut:
    """Return *batch* in pieces of at most *limit_bytes*, its payloads in *encoding*.

    A row that is too large by itself, or has no such form, is an error of its own.
    """
    held, rows, errors = encodable(batch, encoding)
    room = limit_bytes - ENVELOPE_BYTES
    pieces = list(_pieces(held, rows, 0, len(held), room, errors)) if len(held) else []
    return Cut(pieces, errors)


def _pieces(
    batch: Batch,
    rows: Sequence[int],
    start: int,
    stop: int,
    room: int,
    errors: dict[int, PluginError],
) -> Iterator[Piece]:
    """Yield rows *start* to *stop* of *batch*, halved until each piece fits."""
    part = batch.slice(start, stop)
    size = part.payloads.size_bytes
    if size <= room or stop - start == 1:
        data = encode_batch(part).SerializeToString()
        size = len(data) + POSITION_BYTES * len(part)
        if size <= room:
            yield Piece(rows[start:stop], data)
            return
    if stop - start == 1:
        errors[rows[start]] = MessageTooLarge(
            f"expected a message of at most {room} bytes, got one of {size}"
        )
        return
    middle = (start + stop) // 2
    yield from _pieces(batch, rows, start, middle, room, errors)
    yield from _pieces(batch, rows, middle, stop, room, errors)


def with_batch(request: Message, field: int, data: bytes) -> bytes:
    """Return *request* as bytes, with the batch *data* in *field*, which it has not.

    The batch is not copied into the request first: messages one after another are their
    union (protobuf encoding, "Last One Wins").
    """
    size, length = bytearray(), len(data)
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return b"".join((request.SerializeToString(), bytes([field << 3 | 2]), size, data))
