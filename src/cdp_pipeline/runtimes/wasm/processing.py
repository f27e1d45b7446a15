"""A batch through one guest, in the form that the guest has: columns, a text of many, or singly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError

from cdp_pipeline.runtimes.deadlines import Deadlines
from cdp_pipeline.runtimes.encodable import checked, encodable, joined, readable
from cdp_pipeline.runtimes.wasm.answer import Status, error_of
from cdp_pipeline.runtimes.wasm.component import TEXT_BATCH
from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid
from cdp_pipeline.runtimes.wasm.guest import Guest
from cdp_pipeline.runtimes.wasm.texts import Collector, text_of_many, texts_of
from cdpplugin import Batch, Encoding, Outputs, PluginError, UnsupportedEncoding
from cdpplugin.backing import Backings
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_outputs, encode_batch

BATCH = "process_batch"
TEXTS = ("json", "sep51")
"""Encodings whose payloads are JSON."""


def process(
    guest: Guest, batch: Batch, encoding: Encoding, deadlines: Deadlines, backings: Backings
) -> Outputs:
    """Return what *guest* answers to *batch*, its payloads handed over in *encoding*.

    Raises:
        GuestFault: The guest did what it may not; it is of no more use.
        PluginError: It says something of the batch as a whole.
    """
    held, rows, refused = _handed_over(guest, batch, encoding)
    if not len(held):
        return Outputs(errors=refused)
    return joined([(rows, checked(_processed(guest, held, deadlines, backings)))], refused)


def _handed_over(
    guest: Guest, batch: Batch, encoding: Encoding
) -> tuple[Batch, Sequence[int], Mapping[int, PluginError]]:
    """Return what of *batch* the guest can take, its rows, and what is wrong with the others."""
    held, rows, refused = encodable(batch, encoding)
    if BATCH in guest.exports or held.payloads.encoding not in TEXTS:
        return held, rows, refused
    return readable(held, rows, refused)


def _processed(guest: Guest, batch: Batch, deadlines: Deadlines, backings: Backings) -> Outputs:
    if BATCH in guest.exports:
        return _by_columns(guest, batch, deadlines, backings)
    if batch.payloads.encoding not in TEXTS:
        raise UnsupportedEncoding(
            f"expected a plugin with `{BATCH}` for payloads in `{batch.payloads.encoding}`",
            hint="export it, or take `input_encoding: json`",
        )
    if TEXT_BATCH in guest.exports:
        return _by_text(guest, batch, deadlines)
    return _singly(guest, batch, deadlines)


def _by_columns(guest: Guest, batch: Batch, deadlines: Deadlines, backings: Backings) -> Outputs:
    rows = len(batch)
    message = encode_batch(batch).SerializeToString()
    answer = guest.call(BATCH, message, deadlines.batch_s(rows), rows)
    if answer.status != Status.OK:
        raise error_of(answer, f"`{BATCH}`")
    if not answer.data:
        return Outputs()
    try:
        return decode_outputs(pb.ProcessBatchResponse.FromString(answer.data), rows, backings)
    except (DecodeError, PluginError) as error:
        raise AnswerInvalid(f"expected the answer to a batch of {rows}: {error}") from error


def _by_text(guest: Guest, batch: Batch, deadlines: Deadlines) -> Outputs:
    rows = len(batch)
    answer = guest.call(TEXT_BATCH, text_of_many(batch), deadlines.batch_s(rows), rows)
    if answer.status != Status.OK:
        raise error_of(answer, "`process-batch`")
    collector = Collector(batch)
    collector.take_many(answer.data or b"[]")
    return collector.outputs()


def _singly(guest: Guest, batch: Batch, deadlines: Deadlines) -> Outputs:
    collector = Collector(batch)
    for row, text in enumerate(texts_of(batch)):
        collector.take(row, guest.call("process", text, deadlines.message_s, 1))
    return collector.outputs()
