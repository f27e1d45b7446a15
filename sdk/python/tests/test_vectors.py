"""The golden vectors: what the bytes of the wire contract mean to this SDK."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cdpplugin import Batch, Drop, Fatal, PluginError, Retry, SourceInfo, wire
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire.singles import is_dropped

VECTORS = Path(__file__).resolve().parents[3] / "spec/vectors"
Case = Mapping[str, Any]


def cases(file: str) -> Any:
    """Return the cases of *file* as parameters named after them."""
    document = json.loads((VECTORS / f"{file}.json").read_text())
    assert 1 == document["version"]
    return pytest.mark.parametrize(
        "case", [pytest.param(case, id=case["name"]) for case in document["cases"]]
    )


def wire_bytes(case: Case) -> bytes:
    return base64.b64decode(case["wire"])


def refused(case: Case, decode: Callable[[], object]) -> bool:
    """Tell whether *case* is to be refused, and make sure that it is."""
    if "refused" not in case:
        return False
    with pytest.raises(PluginError) as raised:
        decode()
    assert case["refused"] == raised.value.code
    return True


def rounds(case: Case, decoded: Any, again: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield what was decoded, and what comes of encoding and decoding it again."""
    yield decoded
    if not case.get("decode_only"):
        yield again(decoded)


def described(batch: Batch) -> list[dict[str, Any]]:
    """Return the rows of *batch* as the vectors write messages."""
    return [_message(batch, row) for row in range(len(batch))]


def _message(batch: Batch, row: int) -> dict[str, Any]:
    payload, source = batch.payloads.wire_rows()[row], batch.sources[row]
    message: dict[str, Any] = {
        "id": batch.ids[row],
        "type": batch.types[row],
        "trace_id": batch.trace_ids[row],
        "content_type": batch.content_types[row],
    }
    if batch.payloads.encoding == "xdr":
        message["payload_base64"] = base64.b64encode(payload).decode()
    else:
        message["payload"] = payload.decode()
    if batch.metadata[row]:
        message["metadata"] = batch.metadata[row]
    if source != SourceInfo():
        message["source"] = {"name": source.name, "network": source.network, "uri": source.uri}
    return message


def fault(error: PluginError) -> dict[str, Any]:
    """Return *error* as the vectors write errors."""
    kinds = {Retry: "retry", Drop: "drop", Fatal: "fatal"}
    described = {
        "instruction": kinds.get(type(error), "none"),
        "code": error.code,
        "message": error.message,
    }
    if error.hint:
        described["hint"] = error.hint
    if isinstance(error, Retry) and error.after_s is not None:
        return described | {"retry_after_s": error.after_s}
    return described


class TestBatches:
    @cases("batches")
    def test_columns(self, case: Case) -> None:
        """A batch means the messages of its vector, also after a round trip."""
        message = pb.MessageBatch.FromString(wire_bytes(case))
        if refused(case, lambda: wire.decode_batch(message)):
            return
        for batch in rounds(
            case, wire.decode_batch(message), lambda b: wire.decode_batch(wire.encode_batch(b))
        ):
            assert case["messages"] == described(batch)
            assert not case["messages"] or case["encoding"] == batch.payloads.encoding


class TestAnswers:
    @cases("answers")
    def test_outputs(self, case: Case) -> None:
        """An answer means the outputs of its vector, also after a round trip."""
        rows = case["rows"]
        message = pb.ProcessBatchResponse.FromString(wire_bytes(case))
        if refused(case, lambda: wire.decode_outputs(message, rows)):
            return

        def again(outputs: Any) -> Any:
            return wire.decode_outputs(wire.encode_outputs(outputs, rows), rows)

        for outputs in rounds(case, wire.decode_outputs(message, rows), again):
            part = wire.merged_part(outputs.parts)
            assert case["outputs"] == (described(part.batch) if part else [])
            assert case["output_rows"] == (list(part.rows) if part else [])
            errors = [{"row": row, "error": fault(e)} for row, e in outputs.errors.items()]
            assert case["errors"] == errors
            assert case["dropped"] == outputs.dropped


class TestErrors:
    @cases("errors")
    def test_instruction(self, case: Case) -> None:
        """An error means the instruction of its vector, also after a round trip."""
        message = pb.Error.FromString(wire_bytes(case))
        decoded = wire.decode_error(message)
        for error in rounds(case, decoded, lambda e: wire.decode_error(wire.encode_error(e))):
            assert case["error"] == fault(error)


class TestSingleCalls:
    @cases("requests")
    def test_request(self, case: Case) -> None:
        """A single call's request means the message of its vector, also after a round trip."""

        def again(batch: Batch) -> Batch:
            [request] = wire.encode_requests(batch)
            assert isinstance(request, pb.ProcessRequest)
            return wire.decode_request(request)

        request = pb.ProcessRequest.FromString(wire_bytes(case))
        for batch in rounds(case, wire.decode_request(request), again):
            assert [case["input"]] == described(batch)

    @cases("responses")
    def test_response(self, case: Case) -> None:
        """A single call's answer means the output of its vector, or none."""
        response = pb.ProcessResponse.FromString(wire_bytes(case))
        assert case["dropped"] == is_dropped(response)
        outputs = wire.collect_responses([response])
        again = wire.collect_responses([wire.encode_response(outputs)])
        for answer in (outputs, again):
            part = wire.merged_part(answer.parts)
            got = described(part.batch) if part else []
            assert ([] if case["dropped"] else [case["output"]]) == got

    @cases("numbers")
    def test_numbers(self, case: Case) -> None:
        """A Struct holds a number exactly, or refuses it."""
        metadata = json.loads(case["value"])
        if refused(case, lambda: wire.encode_struct(metadata)):
            return
        struct = wire.encode_struct(metadata)
        assert struct is not None
        assert metadata == wire.decode_struct(struct)


class TestEnds:
    @cases("deliveries")
    def test_delivery(self, case: Case) -> None:
        """A consumer is handed the messages, positions and mark of the vector."""
        message = pb.ConsumeRequest.FromString(wire_bytes(case))
        assert (case["sequence"], case["flush"]) == (message.sequence, message.flush)

        def again(delivery: Any) -> Any:
            return wire.decode_delivery(wire.encode_delivery(message.sequence, delivery))

        for delivery in rounds(case, wire.decode_delivery(message), again):
            assert case["messages"] == described(delivery.batch)
            assert case["positions"] == delivery.positions
            assert case["completed_through"] == delivery.completed_through

    @cases("readings")
    def test_reading(self, case: Case) -> None:
        """A source gives the messages, positions, mark and token of the vector, or its end."""
        message = pb.ReadResponse.FromString(wire_bytes(case))
        assert case.get("ended", False) == message.ended
        error = fault(wire.decode_error(message.error)) if message.HasField("error") else None
        assert case.get("error") == error

        def again(found: Any) -> Any:
            return wire.decode_source_batch(wire.encode_source_batch(found))

        for found in rounds(case, wire.decode_source_batch(message), again):
            assert case["messages"] == described(found.batch)
            assert case["positions"] == found.positions
            assert case.get("completed_through") == found.completed_through
            token = base64.b64encode(found.token).decode()
            assert case.get("token_base64", "") == token
