"""What crosses the two ends of a pipeline, to and from the wire."""

from __future__ import annotations

from cdpplugin.backing import BACKINGS, Backings
from cdpplugin.delivery import Delivery, Resume, SourceBatch
from cdpplugin.metadata import Encoding
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire.batches import BatchInvalid, decode_batch, encode_batch


def encode_resume(after: Resume | None, credits: int) -> pb.ReadRequest:  # noqa: A002
    """Return the first request of `Read`: where to go on, and how many batches may come."""
    if after is None:
        return pb.ReadRequest(credits=credits)
    return pb.ReadRequest(after_position=after.position, after_token=after.token, credits=credits)


def decode_resume(message: pb.ReadRequest) -> Resume | None:
    """Return where a source is to go on, None for its start."""
    if not message.HasField("after_position"):
        return None
    return Resume(message.after_position, message.after_token)


def encode_source_batch(source_batch: SourceBatch) -> pb.ReadResponse:
    """Return what a source read, its payloads in the encoding that they have."""
    return pb.ReadResponse(
        batch=encode_batch(source_batch.batch),
        positions=source_batch.positions,
        completed_through=source_batch.completed_through,
        token=source_batch.token,
    )


def decode_source_batch(message: pb.ReadResponse, backings: Backings = BACKINGS) -> SourceBatch:
    """Return what a source read.

    Raises:
        BatchInvalid: Its columns do not fit together, or it has another number of positions.
        UnsupportedEncoding: Nobody here reads its payload encoding.
    """
    return SourceBatch(
        decode_batch(message.batch, backings),
        _positions(message.batch, list(message.positions)),
        message.completed_through if message.HasField("completed_through") else None,
        message.token,
    )


def encode_delivery(
    sequence: int, delivery: Delivery, encoding: Encoding | None = None, *, flush: bool = False
) -> pb.ConsumeRequest:
    """Return what a consumer is handed.

    Raises:
        UnsupportedEncoding: The payloads have no form in *encoding*.
    """
    return pb.ConsumeRequest(
        sequence=sequence,
        batch=encode_batch(delivery.batch, encoding),
        positions=delivery.positions,
        completed_through=delivery.completed_through,
        flush=flush,
    )


def decode_delivery(message: pb.ConsumeRequest, backings: Backings = BACKINGS) -> Delivery:
    """Return what a consumer is handed.

    Raises:
        BatchInvalid: Its columns do not fit together, or it has another number of positions.
        UnsupportedEncoding: Nobody here reads its payload encoding.
    """
    return Delivery(
        decode_batch(message.batch, backings),
        _positions(message.batch, list(message.positions)),
        message.completed_through,
    )


def _positions(batch: pb.MessageBatch, positions: list[int]) -> list[int]:
    if len(positions) != batch.rows:
        raise BatchInvalid(
            f"expected {batch.rows} positions, one a row, got {len(positions)}",
            hint="give every row the position of the source row it derives from",
        )
    return positions
