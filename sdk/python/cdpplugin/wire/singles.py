"""Batches to and from the single-message call, `Process`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdpplugin.batch import JSON_CONTENT, Batch, concat
from cdpplugin.errors import Drop, PluginError
from cdpplugin.metadata import Encoding, SourceInfo
from cdpplugin.outputs import OutputPart, Outputs
from cdpplugin.payloads import JsonPayloads
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire.answers import merged_part
from cdpplugin.wire.structs import decode_struct, encode_struct


def encode_requests(
    batch: Batch, encoding: Encoding = "json"
) -> Iterator[pb.ProcessRequest | PluginError]:
    """Yield each row of *batch* as a single call, or why it cannot be one.

    Raises:
        UnsupportedEncoding: The payloads have no form in *encoding*.
    """
    payloads = batch.payloads.to(encoding).wire_rows()
    for row, payload in enumerate(payloads):
        try:
            metadata = encode_struct(batch.metadata[row])
        except PluginError as error:
            yield error
            continue
        yield pb.ProcessRequest(
            id=batch.ids[row],
            type=batch.types[row],
            payload=payload,
            metadata=metadata,
            source=_source(batch.sources[row]),
            trace_id=batch.trace_ids[row],
            content_type=batch.content_types[row],
        )


def _source(source: SourceInfo) -> pb.SourceInfo | None:
    if not (source.name or source.network or source.uri):
        return None
    return pb.SourceInfo(name=source.name, network=source.network, uri=source.uri)


def decode_request(request: pb.ProcessRequest | pb.ProcessResponse) -> Batch:
    """Return the message of a single call as a batch of one row, its payload JSON."""
    source = request.source
    return Batch(
        types=request.type,
        payloads=JsonPayloads([request.payload or b"null"]),
        ids=[request.id],
        metadata=[decode_struct(request.metadata)],
        sources=SourceInfo(source.name, source.network, source.uri),
        trace_ids=[request.trace_id],
        content_types=request.content_type or JSON_CONTENT,
    )


def encode_response(outputs: Outputs) -> pb.ProcessResponse:
    """Return the answer to a single call.

    Raises:
        PluginError: Its row failed, or gave more than the one output a single call carries.
        NumberTooLarge: The output's metadata holds an integer beyond 2^53.
    """
    if outputs.errors:
        raise outputs.errors[0]
    part = merged_part(outputs.parts)
    if part is None:
        return pb.ProcessResponse(dropped=True)
    if len(part.batch) > 1:
        raise PluginError(
            f"expected one output in the answer to a single call, got {len(part.batch)}",
            code="plugin.output_invalid",
            hint="call ProcessBatch or Stream, whose answers carry any number",
        )
    batch = part.batch
    return pb.ProcessResponse(
        id=batch.ids[0],
        type=batch.types[0],
        payload=batch.payloads.json()[0],
        metadata=encode_struct(batch.metadata[0]),
        source=_source(batch.sources[0]),
        trace_id=batch.trace_ids[0],
        content_type=batch.content_types[0],
    )


def is_dropped(response: pb.ProcessResponse) -> bool:
    """Tell whether *response* leaves its message out."""
    return response.dropped or not (response.id or response.type or response.payload)


def collect_responses(answers: Sequence[pb.ProcessResponse | PluginError]) -> Outputs:
    """Return the answers to single calls, one for each row of a batch, as its outputs."""
    rows: list[int] = []
    batches: list[Batch] = []
    errors: dict[int, PluginError] = {}
    dropped: dict[str, int] = {}
    for row, answer in enumerate(answers):
        if isinstance(answer, Drop):
            dropped[answer.reason] = dropped.get(answer.reason, 0) + 1
        elif isinstance(answer, PluginError):
            errors[row] = answer
        elif not is_dropped(answer):
            rows.append(row)
            batches.append(decode_request(answer))
    batch = concat(batches) if batches else None
    return Outputs((OutputPart(batch, rows),) if batch is not None else (), errors, dropped)
