"""The golden vectors that every SDK replays: bytes of the wire contract, and what they mean.

    python scripts/generate.py        (which writes them to spec/vectors)

The bytes are built here with protobuf alone, not with an SDK's encoder, so that an
encoder and a decoder that are wrong in the same way do not agree. See
`spec/vectors/README.md` for the format.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message as Proto
from google.protobuf.struct_pb2 import Struct

from cdpplugin.v1 import plugin_pb2 as pb

NETWORK = "Test SDF Network ; September 2015"
SOURCE = {"name": "galexie", "network": NETWORK, "uri": "file:///lake"}
JSON = "application/json"

Case = dict[str, Any]


def files() -> Iterator[tuple[str, str]]:
    """Yield (file name, content) of every vector file."""
    made = {
        "batches": ("MessageBatch", batches()),
        "answers": ("ProcessBatchResponse", answers()),
        "errors": ("Error", errors()),
        "requests": ("ProcessRequest", requests()),
        "responses": ("ProcessResponse", responses()),
        "deliveries": ("ConsumeRequest", deliveries()),
        "readings": ("ReadResponse", readings()),
        "numbers": ("", numbers()),
        "faults": ("", faults()),
    }
    for name, (message, cases) in made.items():
        document = {"version": 1, "message": message, "cases": list(cases)}
        yield f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False)


def case(name: str, rule: str, message: Proto, **expected: Any) -> Case:
    """Return a case of *message*, whose meaning is *expected*."""
    return {"name": name, "rule": rule, "wire": _base64(_bytes(message)), **expected}


def message(
    payload: str | bytes,
    id: str = "",  # noqa: A002
    type: str = "",  # noqa: A002
    *,
    trace_id: str = "",
    content_type: str = JSON,
    metadata: Mapping[str, Any] | None = None,
    source: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a message as the README describes it."""
    held = (
        {"payload": payload} if isinstance(payload, str) else {"payload_base64": _base64(payload)}
    )
    fields = {"id": id, "type": type, "trace_id": trace_id, "content_type": content_type, **held}
    if metadata:
        fields["metadata"] = metadata  # type: ignore[assignment]
    if source:
        fields["source"] = source  # type: ignore[assignment]
    return fields


def _bytes(proto: Proto) -> bytes:
    return proto.SerializeToString(deterministic=True)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _texts(rows: Sequence[str]) -> list[bytes]:
    return [row.encode() for row in rows]


def batches() -> Iterator[Case]:
    """Yield what columns of messages mean."""
    yield from _plain_batches()
    yield from _encoded_batches()
    yield from _refused_batches()


def _plain_batches() -> Iterator[Case]:
    yield case(
        "empty", "A batch may have no rows.", pb.MessageBatch(), encoding="json", messages=[]
    )
    yield case(
        "defaults",
        "An empty column holds the default in every row.",
        pb.MessageBatch(rows=2, payloads=_texts(["1", "2"])),
        encoding="json",
        messages=[message("1"), message("2")],
    )
    yield case(
        "constants",
        "A column of one entry in a batch of several rows is constant, the payload too.",
        pb.MessageBatch(
            rows=3,
            ids=["a", "b", "c"],
            types=["Payment"],
            payloads=[b'{"amount":"10"}'],
            metadata=[b'{"asset":"native"}'],
            sources=[pb.SourceInfo(**SOURCE)],
            trace_ids=["t"],
            content_types=[JSON],
            encoding="json",
        ),
        encoding="json",
        messages=[
            message(
                '{"amount":"10"}',
                name,
                "Payment",
                trace_id="t",
                metadata={"asset": "native"},
                source=SOURCE,
            )
            for name in "abc"
        ],
    )
    yield _full_batch()
    yield case(
        "one-row",
        "In a batch of one row a column of one entry is that row's.",
        pb.MessageBatch(rows=1, ids=["a"], types=["T"], payloads=[b"null"]),
        encoding="json",
        messages=[message("null", "a", "T")],
    )
    yield case(
        "empty-entries",
        "Empty entries of a full column stand for the default.",
        pb.MessageBatch(
            rows=2,
            ids=["", "b"],
            types=["T"],
            payloads=[b"", b"{}"],
            metadata=[b"", b'{"k":1}'],
            content_types=["", "application/geo+json"],
        ),
        encoding="json",
        messages=[
            message("null", "", "T"),
            message("{}", "b", "T", metadata={"k": 1}, content_type="application/geo+json"),
        ],
    )


def _full_batch() -> Case:
    payloads = ['{"text":"zażółć \\u0000 \U0001f680"}', "9007199254740993", '[1.5,null,true,"x"]']
    metadata: list[dict[str, Any]] = [
        {"fraud_score": 0.25, "tags": ["a", "b"], "nested": {"deep": [None, False]}},
        {},
        {"count": 9007199254740991, "ключ": "значение"},
    ]
    sources = [SOURCE, {}, {"name": "jsonl", "network": "", "uri": "file:///in.jsonl"}]
    types, traces = ["A", "B", "A"], ["", "t2", "t3"]
    kinds = [JSON, "text/plain", JSON]
    return case(
        "full-columns",
        "Every column may have an entry a row; payload bytes come through unchanged.",
        pb.MessageBatch(
            rows=3,
            ids=["a", "b", "c"],
            types=types,
            payloads=_texts(payloads),
            metadata=[json.dumps(m, ensure_ascii=False).encode() for m in metadata],
            sources=[pb.SourceInfo(**source) for source in sources],
            trace_ids=traces,
            content_types=kinds,
        ),
        encoding="json",
        messages=[
            message(
                payloads[row],
                "abc"[row],
                types[row],
                trace_id=traces[row],
                content_type=kinds[row],
                metadata=metadata[row],
                source=sources[row],
            )
            for row in range(3)
        ],
    )


def _encoded_batches() -> Iterator[Case]:
    yield case(
        "sep51",
        "A batch of SEP-51 payloads is JSON text under its encoding's name.",
        pb.MessageBatch(
            rows=1, types=["LedgerCloseMeta"], payloads=[b'{"v1":{}}'], encoding="sep51"
        ),
        encoding="sep51",
        messages=[message('{"v1":{}}', type="LedgerCloseMeta")],
    )
    yield case(
        "xdr",
        "A batch of raw XDR payloads is bytes, which are no text.",
        pb.MessageBatch(
            rows=2,
            types=["LedgerCloseMeta"],
            payloads=[bytes([0, 0, 0, 2, 255, 254]), bytes(4)],
            sources=[pb.SourceInfo(**SOURCE)],
            encoding="xdr",
        ),
        encoding="xdr",
        messages=[
            message(bytes([0, 0, 0, 2, 255, 254]), type="LedgerCloseMeta", source=SOURCE),
            message(bytes(4), type="LedgerCloseMeta", source=SOURCE),
        ],
    )


def _refused_batches() -> Iterator[Case]:
    code = "message.batch_invalid"
    yield case(
        "short-column",
        "A column has no entry, one entry, or one a row; anything else is refused.",
        pb.MessageBatch(rows=3, ids=["a", "b"], payloads=_texts("123")),
        refused=code,
    )
    yield case(
        "long-column",
        "A column longer than the batch is refused.",
        pb.MessageBatch(rows=1, ids=["a", "b"], payloads=[b"1"]),
        refused=code,
    )
    yield case(
        "rows-without-count",
        "Columns in a batch that says it has no rows are refused.",
        pb.MessageBatch(payloads=[b"1"]),
        refused=code,
    )
    yield case(
        "unknown-encoding",
        "An encoding nobody has heard of is refused.",
        pb.MessageBatch(rows=1, payloads=[b"1"], encoding="morse"),
        refused="plugin.encoding_unsupported",
    )


def answers() -> Iterator[Case]:
    """Yield what the answers to batches mean."""
    two = pb.MessageBatch(rows=2, ids=["a", "b"], types=["T"], payloads=[b"1", b"2"])
    outputs = [message("1", "a", "T"), message("2", "b", "T")]
    yield case(
        "row-for-row",
        "Without output rows each output belongs to the input row of its number.",
        pb.ProcessBatchResponse(outputs=two),
        rows=2,
        outputs=outputs,
        output_rows=[0, 1],
        errors=[],
        dropped={},
    )
    yield case(
        "all-dropped",
        "An answer without anything leaves out every row on purpose.",
        pb.ProcessBatchResponse(),
        rows=3,
        outputs=[],
        output_rows=[],
        errors=[],
        dropped={},
    )
    yield case(
        "mixed",
        "Outputs name their input rows; a bad row leaves the others alone; drops are counted.",
        pb.ProcessBatchResponse(
            outputs=two,
            output_rows=[1, 1],
            errors=[pb.RowError(row=2, error=_error(code="x.bad", message="no amount"))],
            dropped={"small": 2},
        ),
        rows=5,
        outputs=outputs,
        output_rows=[1, 1],
        errors=[
            {"row": 2, "error": {"instruction": "none", "code": "x.bad", "message": "no amount"}}
        ],
        dropped={"small": 2},
    )
    yield from _refused_answers(two)


def _refused_answers(two: pb.MessageBatch) -> Iterator[Case]:
    rules = {
        "more-outputs-than-rows": ("Row for row means one output an input row.", 3, []),
        "wrong-number-of-rows": ("There is one output row an output.", 3, [0]),
        "decreasing-rows": ("Output rows never decrease.", 3, [1, 0]),
        "row-out-of-range": ("An output row is a row of the batch.", 2, [0, 2]),
    }
    for name, (rule, rows, output_rows) in rules.items():
        answer = pb.ProcessBatchResponse(outputs=two, output_rows=output_rows)
        yield case(name, rule, answer, rows=rows, refused="plugin.output_invalid")
    bad = pb.ProcessBatchResponse(errors=[pb.RowError(row=2, error=_error(message="m"))])
    rule = "An error's row is a row of the batch."
    yield case("error-out-of-range", rule, bad, rows=2, refused="plugin.output_invalid")


def _error(instruction: str = "UNSPECIFIED", **fields: Any) -> pb.Error:
    return pb.Error(instruction=f"INSTRUCTION_{instruction}", **fields)


def errors() -> Iterator[Case]:
    """Yield what errors mean."""
    yield case(
        "plain",
        "Without an instruction the stage's policy decides.",
        _error(code="x.bad", message="expected an amount, got none", hint="give one"),
        error={
            "instruction": "none",
            "code": "x.bad",
            "message": "expected an amount, got none",
            "hint": "give one",
        },
    )
    yield case(
        "nameless",
        "An error without a code has the code plugin.failed.",
        _error(message="ValueError: x"),
        decode_only=True,
        error={"instruction": "none", "code": "plugin.failed", "message": "ValueError: x"},
    )
    wait = _error("RETRY", code="plugin.retry", message="busy")
    wait.retry_after.FromMilliseconds(1500)
    yield case(
        "retry-after",
        "A retry may name its wait.",
        wait,
        error={
            "instruction": "retry",
            "code": "plugin.retry",
            "message": "busy",
            "retry_after_s": 1.5,
        },
    )
    for name in ("retry", "drop", "fatal"):
        yield case(
            name,
            f"An instruction travels by name: {name}.",
            _error(name.upper(), code=f"plugin.{name}", message="because"),
            error={"instruction": name, "code": f"plugin.{name}", "message": "because"},
        )


def requests() -> Iterator[Case]:
    """Yield what single messages mean, on their way in."""
    yield case(
        "bare",
        "Everything but the payload may be absent.",
        pb.ProcessRequest(payload=b'{"amount":1}'),
        input=message('{"amount":1}'),
    )
    yield case(
        "full",
        "Metadata is a Struct; its whole numbers come back as whole numbers.",
        pb.ProcessRequest(
            id="a",
            type="Payment",
            payload=b'{"amount":9007199254740993}',
            metadata=_struct({"score": 0.5, "count": 3, "tags": ["x", None], "deep": {"k": True}}),
            source=pb.SourceInfo(**SOURCE),
            trace_id="t",
            content_type=JSON,
        ),
        input=message(
            '{"amount":9007199254740993}',
            "a",
            "Payment",
            trace_id="t",
            metadata={"score": 0.5, "count": 3, "tags": ["x", None], "deep": {"k": True}},
            source=SOURCE,
        ),
    )


def _struct(fields: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def responses() -> Iterator[Case]:
    """Yield what single messages mean, on their way out."""
    yield case(
        "output",
        "An answer with a payload is an output.",
        pb.ProcessResponse(
            id="a", type="T", payload=b"[1,2]", metadata=_struct({"k": "v"}), trace_id="t"
        ),
        dropped=False,
        output=message("[1,2]", "a", "T", trace_id="t", metadata={"k": "v"}),
    )
    yield case(
        "no-payload",
        "An answer with a type and no payload is an output whose payload is null.",
        pb.ProcessResponse(id="a", type="notification_sent"),
        dropped=False,
        output=message("null", "a", "notification_sent"),
    )
    yield case("dropped", "Dropped is said.", pb.ProcessResponse(dropped=True), dropped=True)
    yield case(
        "nothing",
        "An answer without id, type and payload means dropped.",
        pb.ProcessResponse(),
        dropped=True,
        decode_only=True,
    )


def deliveries() -> Iterator[Case]:
    """Yield what a consumer is handed."""
    yield case(
        "rows",
        "Every message has a position; the mark tells what is complete.",
        pb.ConsumeRequest(
            sequence=1,
            batch=pb.MessageBatch(rows=3, types=["T"], payloads=[b"1", b"2", b"3"]),
            positions=[5, 5, 6],
            completed_through=5,
        ),
        sequence=1,
        messages=[message(text, type="T") for text in "123"],
        positions=[5, 5, 6],
        completed_through=5,
        flush=False,
    )
    yield case(
        "mark",
        "A delivery may bring nothing but a mark.",
        pb.ConsumeRequest(sequence=2, completed_through=9007199254740991),
        sequence=2,
        messages=[],
        positions=[],
        completed_through=9007199254740991,
        flush=False,
    )
    yield case(
        "flush",
        "A flush carries no messages.",
        pb.ConsumeRequest(sequence=3, completed_through=7, flush=True),
        sequence=3,
        messages=[],
        positions=[],
        completed_through=7,
        flush=True,
    )


def readings() -> Iterator[Case]:
    """Yield what a source sends."""
    batch = pb.MessageBatch(rows=2, ids=["a", "b"], types=["T"], payloads=[b"1", b"2"])
    rows = [message("1", "a", "T"), message("2", "b", "T")]
    yield case(
        "rows",
        "Without a mark the last position of the batch is complete.",
        pb.ReadResponse(batch=batch, positions=[0, 1]),
        messages=rows,
        positions=[0, 1],
    )
    yield case(
        "mark-and-token",
        "A mark of 0 is not an absent mark; a token is bytes.",
        pb.ReadResponse(batch=batch, positions=[0, 1], completed_through=0, token=bytes([0, 255])),
        messages=rows,
        positions=[0, 1],
        completed_through=0,
        token_base64=_base64(bytes([0, 255])),
    )
    yield case(
        "mark-alone",
        "A batch without rows may advance the mark.",
        pb.ReadResponse(completed_through=12),
        messages=[],
        positions=[],
        completed_through=12,
    )
    yield case(
        "error",
        "A source that fails says why.",
        pb.ReadResponse(error=_error("RETRY", code="lake.gap", message="not there yet")),
        messages=[],
        positions=[],
        error={"instruction": "retry", "code": "lake.gap", "message": "not there yet"},
    )
    yield case(
        "ended",
        "A source that has ended says so, after its last batch.",
        pb.ReadResponse(ended=True),
        messages=[],
        positions=[],
        ended=True,
    )


def numbers() -> Iterator[Case]:
    """Yield the numbers that a Struct holds exactly, and those it does not."""
    too_large = "message.number_too_large"
    passing = {"largest": 2**53 - 1, "smallest": 1 - 2**53, "fraction": 0.1, "zero": 0}
    refused = {"above": 2**53 + 1, "below": -(2**53) - 1, "even-above": 2**60}
    for name, value in passing.items():
        rule = "A number below 2^53 passes exactly."
        yield {"name": name, "rule": rule, "value": json.dumps({"n": value})}
    for name, value in refused.items():
        rule = "An integer beyond 2^53 is refused, never rounded, even where it would fit."
        text = json.dumps({"deep": [{"n": value}]})
        yield {"name": name, "rule": rule, "value": text, "refused": too_large}


def faults() -> Iterator[Case]:
    """Yield what every SDK answers where something is wrong, and takes where nothing is said."""
    yield from _limits()
    yield from _bad_rows()
    yield from _bad_batches()
    yield from _bad_streams()
    yield from _bad_lives()


def _limits() -> Iterator[Case]:
    yield _expected("default-limit", "Without a limit a message holds 256 MiB.", bytes=256 << 20)
    invalid = "plugin.environment_invalid"
    for name in ("port-zero", "port-too-high", "port-no-number", "limit-zero", "limit-too-high"):
        yield _expected(name, "A number of the environment has its range.", code=invalid)
    refused, large = "INVALID_ARGUMENT", "message.too_large"
    rule = "An answer beyond the limit is refused by name."
    yield _expected("answer-too-large", rule, status=refused, code=large)
    yield _expected("single-answer-too-large", rule, status=refused, code=large)
    rule = "A row of a source beyond the limit stops the pipeline."
    yield _expected("source-row-too-large", rule, code=large, instruction="fatal")
    rule = "A text is cut where it could not travel: in a row, and in the end of a call."
    yield _expected("row-error-too-long", rule, row=1, code="test.long", characters=4000)
    yield _expected("call-error-too-long", rule, status=refused, code="test.long", characters=2000)


def _bad_rows() -> Iterator[Case]:
    rule = "A number that JSON has no form for fails its row, wherever it stands; it is never null."
    invalid = "message.payload_invalid"
    for held in ("payload", "nested-payload", "metadata", "nested-metadata"):
        for number in ("nan", "infinity", "minus-infinity"):
            yield _expected(f"{held}-{number}", rule, row=1, code=invalid)
    rule = "What is no JSON fails the row that reads it."
    yield _expected("payload-no-json", rule, row=1, code=invalid)
    yield _expected("metadata-no-json", rule, row=1, code=invalid)
    yield _expected("metadata-no-object", rule, row=1, code=invalid)
    rule = "An error that is no instruction fails its row."
    yield _expected("unknown-error", rule, row=1, code="plugin.failed")
    yield _expected("single-unknown-error", rule, status="INVALID_ARGUMENT", code="plugin.failed")
    rule = "A drop without a reason has one all the same."
    yield _expected("drop-without-reason", rule, dropped={"dropped": 1})


def _bad_batches() -> Iterator[Case]:
    rule = "A batch that fails as a whole is halved until the bad row is alone."
    yield _expected("batch-unknown-error", rule, row=1, code="plugin.failed")
    yield _expected("batch-error", rule, row=1, code="test.bad")
    yield _expected("batch-answer-invalid", rule, row=1, code="plugin.output_invalid")
    rule = "The batch of a stateful plugin is never cut: it fails in every row."
    yield _expected("batch-error-of-stateful", rule, rows=[0, 1, 2], code="test.bad")
    yield _expected("batch-drop", "A batch may be left out as a whole.", dropped={"not mine": 3})
    for instruction, status in (("retry", "UNAVAILABLE"), ("fatal", "FAILED_PRECONDITION")):
        yield _expected(
            f"batch-{instruction}",
            "An instruction that halving would not change is for the whole batch.",
            status=status,
            code=f"plugin.{instruction}",
            instruction=instruction,
        )
    yield _expected(
        "payloads-that-do-not-mix",
        "Payloads of one answer have one form.",
        status="INVALID_ARGUMENT",
        code="plugin.encoding_unsupported",
    )


def _bad_streams() -> Iterator[Case]:
    yield _expected(
        "credits-exceeded",
        "A host that sends more than it may is refused.",
        status="INVALID_ARGUMENT",
        code="plugin.credits_exceeded",
    )
    rule = "A source gives each row its position, and none decreases."
    for name in ("positions-missing", "positions-decrease", "positions-decrease-later"):
        yield _expected(name, rule, code="plugin.output_invalid")
    rule = "A stopping plugin ends its streams as unavailable, never well."
    for name in ("stream", "read", "read-ended", "consume"):
        yield _expected(f"{name}-stopping", rule, status="UNAVAILABLE")


def _bad_lives() -> Iterator[Case]:
    refused, invalid = "INVALID_ARGUMENT", "plugin.config_invalid"
    rule = "A configuration that cannot be used is refused, whatever the reason."
    for name in ("config-no-json", "config-no-object", "config-refused"):
        yield _expected(name, rule, status=refused, code=invalid)
    yield _expected("config-unknown-error", rule, status=refused, code="plugin.failed")
    rule = "A start that fails says so by its status."
    yield _expected("start-error", rule, status=refused, code="test.bad")
    yield _expected("start-unknown-error", rule, status="INTERNAL", code="plugin.failed")
    yield _expected(
        "start-retry", rule, status="UNAVAILABLE", code="plugin.retry", instruction="retry"
    )
    failed = "FAILED_PRECONDITION"
    yield _expected("start-fatal", rule, status=failed, code="plugin.fatal", instruction="fatal")
    yield _expected(
        "state-nobody-keeps",
        "A state is never lost without a word.",
        status=failed,
        code="plugin.state_unsupported",
        instruction="fatal",
    )
    rule = "A plugin is stopped once for each start, and not without one."
    yield _expected("stopped-twice", rule, stops=1)
    yield _expected("stopped-unstarted", rule, stops=0)
    yield _expected("start-failed-and-stopped", rule, stops=1)
    rule = "A plugin that cannot give its state is stopped all the same."
    yield _expected("export-fails", rule, status="INTERNAL", code="plugin.failed", stops=1)
    rule = "A plugin that cannot say how it is is unhealthy; details that cannot be told are not."
    yield _expected("health-unknown-error", rule, health="unhealthy", details=[])
    yield _expected("health-details-nan", rule, health="degraded", details=["details_error"])


def _expected(name: str, rule: str, **expected: Any) -> Case:
    return {"name": name, "rule": rule, "expected": expected}
