"""Batches and answers on the wire: what the vectors do not show."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa
import pytest

from cdpplugin import (
    Batch,
    Constant,
    HealthStatus,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Resume,
    SourceInfo,
    UnsupportedEncoding,
    wire,
)
from cdpplugin.arrow import ArrowPayloads
from cdpplugin.backing import BACKINGS, RawPayloads, Received
from cdpplugin.v1 import plugin_pb2 as pb


def numbered(rows: int, **columns: Any) -> Batch:
    return Batch.of("T", range(rows), ids=[f"id{row}" for row in range(rows)], **columns)


class TestColumns:
    def test_equal_entries_travel_once(self) -> None:
        """A column of equal entries is written as one entry, a default one as none."""
        batch = numbered(3, sources=[SourceInfo("s")] * 3, metadata=[{"k": 1}] * 3)
        message = wire.encode_batch(batch)
        assert (3, 1, 1, 1) == (
            len(message.ids),
            len(message.types),
            len(message.sources),
            len(message.metadata),
        )
        assert (0, 0) == (len(message.trace_ids), len(message.content_types))

    def test_constant_column_stays_constant(self) -> None:
        """A column of one entry is read as a constant, without one object a row."""
        batch = wire.decode_batch(wire.encode_batch(numbered(3)))
        assert isinstance(batch.types, Constant)
        assert isinstance(batch.metadata, Constant)

    def test_unread_metadata_go_on_as_they_came(self) -> None:
        """Metadata that nobody reads are not parsed: their bytes go on unchanged."""
        texts = [b'{"a" :  1}', b'{"a":2.50}']
        message = pb.MessageBatch(rows=2, payloads=[b"1", b"2"], metadata=texts)
        assert texts == list(wire.encode_batch(wire.decode_batch(message)).metadata)

    def test_metadata_must_be_objects(self) -> None:
        """Metadata that are not a JSON object are refused when they are read."""
        message = pb.MessageBatch(rows=2, payloads=[b"1", b"2"], metadata=[b"[]", b"{}"])
        batch = wire.decode_batch(message)
        with pytest.raises(PluginError, match="JSON object"):
            batch.metadata[0]

    def test_payload_form(self) -> None:
        """Payloads that have no form in the encoding asked for are refused."""
        with pytest.raises(UnsupportedEncoding):
            wire.encode_batch(numbered(1), "xdr")


class TestSpeed:
    def test_a_microsecond_a_message(self) -> None:
        """Encoding and decoding 1000 rows of 230 B takes about 1 us a message, not 10."""
        payloads = JsonPayloads([b'{"x":"' + b"a" * 220 + b'%03d"}' % row for row in range(1000)])
        batch = Batch(types="T", payloads=payloads, ids=[f"net:{row}:1" for row in range(1000)])

        def once() -> float:
            begun = time.perf_counter()
            text = wire.encode_batch(batch).SerializeToString()
            wire.decode_batch(pb.MessageBatch.FromString(text))
            return time.perf_counter() - begun

        assert min(once() for _ in range(30)) * 1e6 / 1000 < 3.0


class TestArrow:
    def test_round_trip(self) -> None:
        """Typed rows cross as one Arrow IPC stream and come out equal."""
        record_batch = pa.record_batch({"amount": pa.array([1, 2], pa.int64())})
        batch = Batch(types="Row", payloads=ArrowPayloads(record_batch))
        message = wire.encode_batch(batch)
        assert ("arrow", 0) == (message.encoding, len(message.payloads))
        payloads = wire.decode_batch(message).payloads
        assert isinstance(payloads, ArrowPayloads)
        assert record_batch == payloads.record_batch
        assert [b'{"amount":1}', b'{"amount":2}'] == payloads.json()

    def test_rows_must_agree(self) -> None:
        """An Arrow stream of another number of rows than the batch says is refused."""
        message = wire.encode_batch(
            Batch(types="Row", payloads=ArrowPayloads(pa.record_batch({"a": [1, 2]})))
        )
        message.rows = 3
        with pytest.raises(PluginError) as raised:
            wire.decode_batch(message)
        assert "message.batch_invalid" == raised.value.code

    def test_garbage(self) -> None:
        """Bytes that are no Arrow stream are refused."""
        with pytest.raises(PluginError) as raised:
            wire.decode_batch(pb.MessageBatch(rows=1, encoding="arrow", arrow=b"garbage"))
        assert "message.payload_invalid" == raised.value.code


class TestBackings:
    def test_the_host_brings_its_own(self) -> None:
        """Whoever decodes says what payload columns are made of, and learns their network."""
        seen: list[Received] = []

        def xdr(received: Received) -> RawPayloads:
            seen.append(received)
            return RawPayloads(received.rows)

        message = pb.MessageBatch(
            rows=2,
            encoding="xdr",
            payloads=[b"\x00", b"\x01"],
            types=["LedgerCloseMeta"],
            sources=[pb.SourceInfo(network="net")],
        )
        batch = wire.decode_batch(message, {**BACKINGS, "xdr": xdr})
        assert [b"\x00", b"\x01"] == batch.payloads.wire_rows()
        [received] = seen
        assert ["LedgerCloseMeta"] * 2 == list(received.types)
        assert "net" == received.sources[0].network

    def test_raw_xdr_is_bytes_to_a_plugin(self) -> None:
        """A plugin that takes XDR sees bytes, and passes them on unchanged."""
        message = pb.MessageBatch(rows=1, encoding="xdr", payloads=[b"\xff\x00"])
        batch = wire.decode_batch(message)
        assert b"\xff\x00" == batch.payloads.value(0)
        with pytest.raises(UnsupportedEncoding):
            batch.payloads.json()
        assert message.payloads == wire.encode_batch(batch).payloads


class TestAnswers:
    def test_parts_become_one(self) -> None:
        """Several parts travel as one batch, in the order of their input rows."""
        parts = [
            OutputPart(Batch.of("A", ["a0", "a2"]), [0, 2]),
            OutputPart(Batch.of("B", ["b0", "b1"]), [0, 1]),
        ]
        message = wire.encode_outputs(Outputs(parts), 3)
        assert [0, 0, 1, 2] == list(message.output_rows)
        assert [b'"a0"', b'"b0"', b'"b1"', b'"a2"'] == list(message.outputs.payloads)
        assert ["A", "B", "B", "A"] == list(message.outputs.types)

    def test_backings_that_do_not_mix_become_json(self) -> None:
        """Parts whose payloads do not mix travel as JSON."""
        rows = ArrowPayloads(pa.record_batch({"a": [1]}))
        parts = [
            OutputPart(Batch(types="A", payloads=rows), [0]),
            OutputPart(Batch.of("B", ["b"]), [1]),
        ]
        message = wire.encode_outputs(Outputs(parts), 2)
        assert [b'{"a":1}', b'"b"'] == list(message.outputs.payloads)

    def test_a_drop_is_counted(self) -> None:
        """A row error that says `DROP` is no error: it is counted under its reason."""
        drop = pb.Error(instruction=pb.Error.INSTRUCTION_DROP, message="small")
        message = pb.ProcessBatchResponse(
            errors=[pb.RowError(row=0, error=drop)], dropped={"small": 2}
        )
        outputs = wire.decode_outputs(message, 3)
        assert ({}, {"small": 3}) == (outputs.errors, outputs.dropped)

    def test_single_calls_are_collected(self) -> None:
        """Answers to single calls become outputs, errors and drops of their rows."""
        bad = PluginError("bad", code="x.bad")
        answers = [
            pb.ProcessResponse(id="a", payload=b"1"),
            pb.ProcessResponse(dropped=True),
            bad,
            pb.ProcessResponse(type="done"),
        ]
        outputs = wire.collect_responses(answers)
        [part] = outputs.parts
        assert [0, 3] == list(part.rows)
        assert [b"1", b"null"] == part.batch.payloads.json()
        assert {2: bad} == outputs.errors

    def test_a_row_that_fits_no_single_call(self) -> None:
        """A row whose metadata no Struct holds fails alone; the others are called."""
        batch = numbered(2, metadata=[{"n": 2**53 + 1}, {"n": 1}])
        first, second = wire.encode_requests(batch)
        assert isinstance(first, PluginError)
        assert "message.number_too_large" == first.code
        assert isinstance(second, pb.ProcessRequest)


class TestErrors:
    def test_any_text_travels(self) -> None:
        """An error text that is no proper Unicode, or very long, travels as well as it can."""
        assert "no file ?" == wire.encode_error(PluginError("no file \udcff")).message
        assert len(wire.encode_error(PluginError("x" * 10**6)).message) <= 4000


class TestIdentity:
    def test_metadata_round_trip(self) -> None:
        """What a plugin says of itself arrives as it said it."""
        metadata = PluginMetadata(
            "a",
            "1.0.0",
            "consumer",
            input_types=("T",),
            config_schema={"type": "object"},
            output_schema={"T": {"type": "string"}},
            input_encoding="arrow",
            stateful=True,
        )
        assert metadata == wire.decode_metadata(wire.encode_metadata(metadata, [], "python/0"))

    @pytest.mark.parametrize(
        "said",
        [
            {"name": ""},
            {"name": "a", "type": "sink"},
            {"name": "a", "type": "source", "input_encoding": "x"},
        ],
    )
    def test_metadata_refused(self, said: dict[str, str]) -> None:
        """A plugin without a name, or of a type that does not exist, is refused."""
        with pytest.raises(PluginError) as raised:
            wire.decode_metadata(pb.MetadataResponse(**said))
        assert "plugin.metadata_invalid" == raised.value.code

    def test_health(self) -> None:
        """A health status that does not exist is unhealthy."""
        status = HealthStatus("degraded", "slow", {"lag": 3})
        assert status == wire.decode_health(wire.encode_health(status))
        assert "unhealthy" == wire.decode_health(pb.HealthResponse(status="fine")).status

    def test_resume(self) -> None:
        """The start of a stream is no position; position 0 is one."""
        assert wire.decode_resume(wire.encode_resume(None, 1)) is None
        after = Resume(0, b"token")
        assert after == wire.decode_resume(wire.encode_resume(after, 1))
