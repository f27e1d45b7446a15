"""Cut a batch into messages that fit: by bytes, and never a row in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cdp_pipeline.runtimes.grpc.faults import MessageTooLarge
from cdpplugin import Batch, Encoding, OutputPart, Outputs, PluginError
from cdpplugin.v1 import plugin_pb2 as pb
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
        message: They, encoded.
    """

    rows: Sequence[int]
    message: pb.MessageBatch


@dataclass(frozen=True, slots=True)
class Cut:
    """A batch as it can be sent.

    Attributes:
        pieces: In order; one for a batch that fits.
        errors: The rows that cannot be sent, and why.
    """

    pieces: Sequence[Piece]
    errors: dict[int, PluginError]


def encodable(
    batch: Batch, encoding: Encoding
) -> tuple[Batch, Sequence[int], dict[int, PluginError]]:
    """Return *batch* in *encoding*, which of its rows that are, and why the others are not."""
    every = range(len(batch))
    try:
        return batch.to(encoding), every, {}
    except PluginError as whole:
        errors: dict[int, PluginError] = {}
        rows = [row for row in every if not _refusal(batch, row, encoding, errors)]
        if len(rows) == len(every):
            return batch.slice(0, 0), (), dict.fromkeys(every, whole)
        return batch.take(rows).to(encoding) if rows else batch.slice(0, 0), rows, errors


def cut(batch: Batch, encoding: Encoding, limit_bytes: int) -> Cut:
    """Return *batch* in pieces of at most *limit_bytes*, its payloads in *encoding*.

    A row that is too large by itself, or has no such form, is an error of its own.
    """
    held, rows, errors = encodable(batch, encoding)
    room = limit_bytes - ENVELOPE_BYTES
    pieces = list(_pieces(held, rows, 0, len(held), room, errors)) if len(held) else []
    return Cut(pieces, errors)


def _refusal(batch: Batch, row: int, encoding: Encoding, errors: dict[int, PluginError]) -> bool:
    """Note why row *row* has no form in *encoding*; False if it has one."""
    try:
        batch.slice(row, row + 1).to(encoding)
    except PluginError as error:
        errors[row] = error
        return True
    return False


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
        message = encode_batch(part)
        size = message.ByteSize() + POSITION_BYTES * len(part)
        if size <= room:
            yield Piece(rows[start:stop], message)
            return
    if stop - start == 1:
        errors[rows[start]] = MessageTooLarge(
            f"expected a message of at most {room} bytes, got one of {size}"
        )
        return
    middle = (start + stop) // 2
    yield from _pieces(batch, rows, start, middle, room, errors)
    yield from _pieces(batch, rows, middle, stop, room, errors)


def joined(
    answers: Sequence[tuple[Sequence[int], Outputs]], cut_errors: dict[int, PluginError]
) -> Outputs:
    """Return the answers to the pieces of a batch as the answer to the whole."""
    if len(answers) == 1 and not cut_errors:
        return answers[0][1]
    parts, errors, dropped = [], dict(cut_errors), dict[str, int]()
    for rows, outputs in answers:
        parts += [OutputPart(p.batch, [rows[row] for row in p.rows]) for p in outputs.parts]
        errors |= {rows[row]: error for row, error in outputs.errors.items()}
        for reason, count in outputs.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    return Outputs(parts, errors, dropped)
