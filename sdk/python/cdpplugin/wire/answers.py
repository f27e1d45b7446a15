"""`Outputs` to and from `ProcessBatchResponse`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NoReturn

from cdpplugin.backing import BACKINGS, Backings
from cdpplugin.batch import concat
from cdpplugin.errors import Drop, PluginError
from cdpplugin.outputs import OutputPart, Outputs
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire.batches import decode_batch, encode_batch
from cdpplugin.wire.faults import decode_error, encode_error


def encode_outputs(outputs: Outputs, rows: int) -> pb.ProcessBatchResponse:
    """Return the answer to a batch of *rows* messages as it crosses to another process.

    Raises:
        UnsupportedEncoding: It holds payloads in forms that do not mix.
    """
    message = pb.ProcessBatchResponse()
    part = merged_part(outputs.parts)
    if part is not None:
        message.outputs.CopyFrom(encode_batch(part.batch))
        if part.rows != range(rows) and list(part.rows) != list(range(rows)):
            message.output_rows.extend(part.rows)
    for row, error in outputs.errors.items():
        message.errors.add(row=row, error=encode_error(error))
    for reason, count in outputs.dropped.items():
        message.dropped[reason] = count
    return message


def merged_part(parts: Sequence[OutputPart]) -> OutputPart | None:
    """Return all outputs as one part in the order of their input rows, or None if none.

    Payloads whose backings do not mix are turned into JSON.

    Raises:
        UnsupportedEncoding: One of them has no JSON form.
    """
    held = [part for part in parts if len(part.rows)]
    if len(held) < 2:
        return held[0] if held else None
    batches = [part.batch for part in held]
    batch = concat(batches) or concat([batch.to("json") for batch in batches])
    assert batch is not None
    rows = list(chain.from_iterable(part.rows for part in held))
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return OutputPart(batch.take(order), [rows[index] for index in order])


def decode_outputs(
    message: pb.ProcessBatchResponse, rows: int, backings: Backings = BACKINGS
) -> Outputs:
    """Return the answer to a batch of *rows* messages.

    A row error that says `DROP` is counted as dropped.

    Raises:
        PluginError: plugin.output_invalid; its rows are not rows of the batch, in order.
        BatchInvalid: Its columns do not fit together.
        UnsupportedEncoding: Nobody here reads its payload encoding.
    """
    batch = decode_batch(message.outputs, backings)
    output_rows = _output_rows(message, rows)
    parts = (OutputPart(batch, output_rows),) if len(batch) else ()
    dropped = dict(message.dropped)
    errors: dict[int, PluginError] = {}
    for row_error in message.errors:
        error = decode_error(row_error.error)
        if row_error.row >= rows:
            _refuse(f"expected an error of a row below {rows}, got row {row_error.row}")
        if isinstance(error, Drop):
            dropped[error.reason] = dropped.get(error.reason, 0) + 1
        else:
            errors[row_error.row] = error
    return Outputs(parts, errors, dropped)


def _output_rows(message: pb.ProcessBatchResponse, rows: int) -> Sequence[int]:
    count, given = message.outputs.rows, message.output_rows
    if not given:
        if count not in (0, rows):
            _refuse(f"expected {rows} outputs, one for each input row, got {count}")
        return range(count)
    held = list(given)
    if len(held) != count:
        _refuse(f"expected {count} output rows, one for each output, got {len(held)}")
    if held != sorted(held):
        _refuse("expected output rows that never decrease")
    if held[-1] >= rows:
        _refuse(f"expected output rows below {rows}, got {held[-1]}")
    return held


def _refuse(message: str) -> NoReturn:
    raise PluginError(
        message,
        code="plugin.output_invalid",
        hint="name for each output the row of the batch that it derives from, in order",
    )
