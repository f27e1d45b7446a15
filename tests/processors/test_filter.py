from __future__ import annotations

import pyarrow as pa
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads, XdrPayloads
from cdp_pipeline.connectors.processors.filter import Filter
from cdpplugin import Batch, ConfigInvalid, JsonPayloads

from .conftest import Configure


def payments(*amounts: object) -> Batch:
    values = [{"amount": amount} for amount in amounts]
    return Batch.of("Payment", values, ids=[f"p:{i}" for i in range(len(values))])


def test_true_is_passed_false_is_dropped(filter_of: Configure) -> None:
    """Messages for which the condition is true pass; the others are dropped, and counted."""
    outputs = filter_of(where="payload.amount > 10").process_batch(payments(5, 11, 7, 30))
    assert [1, 3] == list(outputs.parts[0].rows)
    assert ["p:1", "p:3"] == list(outputs.parts[0].batch.ids)
    assert {"condition false": 2} == outputs.dropped
    assert {} == outputs.errors


def test_all_pass_as_the_same_batch(filter_of: Configure) -> None:
    """Where all pass, the batch itself is the answer."""
    batch = payments(1, 2)
    outputs = filter_of(where="payload.amount > 0").process_batch(batch)
    assert outputs.parts[0].batch is batch


def test_none_pass(filter_of: Configure) -> None:
    """Where none passes there is no output and no error."""
    outputs = filter_of(where="payload.amount > 99").process_batch(payments(1, 2))
    assert () == outputs.parts
    assert {"condition false": 2} == outputs.dropped


def test_payloads_keep_their_bytes(filter_of: Configure) -> None:
    """What passes is the very payload that came: nothing is encoded anew."""
    text = b'{ "amount" : 1.50 }'
    batch = Batch(types="Payment", payloads=JsonPayloads([text, b'{"amount": 0.1}']))
    outputs = filter_of(where="payload.amount > 1.0").process_batch(batch)
    assert text is outputs.parts[0].batch.payloads.json()[0]


def test_typed_rows_stay_columns(filter_of: Configure) -> None:
    """Rows of an Arrow batch pass as an Arrow batch."""
    rows = pa.RecordBatch.from_pydict({"amount": [1, 2**53 + 1], "note": ["a", "b"]})
    batch = Batch(types="payments", payloads=ArrowPayloads(rows))
    outputs = filter_of(where="payload.amount > 9007199254740992").process_batch(batch)
    payloads = outputs.parts[0].batch.payloads
    assert isinstance(payloads, ArrowPayloads)
    assert [{"amount": 2**53 + 1, "note": "b"}] == payloads.record_batch.to_pylist()


def test_payload_is_not_read_unless_needed(filter_of: Configure) -> None:
    """A condition on type and metadata does not touch the payload: raw XDR stays raw."""
    raw = XdrPayloads([b"not", b"xdr"], network="x", type_name="LedgerCloseMeta")
    batch = Batch(types="LedgerCloseMeta", payloads=raw, metadata=[{"keep": True}, {"keep": False}])
    outputs = filter_of(where='type == "LedgerCloseMeta" && metadata.keep').process_batch(batch)
    assert [b"not"] == outputs.parts[0].batch.payloads.xdr
    assert {} == outputs.errors


def test_one_bad_row_does_not_fail_the_others(filter_of: Configure) -> None:
    """Each row's error is its own, with the stage's policy to decide."""
    payloads = JsonPayloads([b'{"amount":20}', b"{broken", b'{"amount":"20"}', b"7"])
    outputs = filter_of(where="payload.amount > 10").process_batch(
        Batch(types="P", payloads=payloads)
    )
    assert [0] == list(outputs.parts[0].rows)
    codes = {row: error.code for row, error in outputs.errors.items()}
    expected = {1: "message.payload_invalid", 2: "expression.failed", 3: "expression.failed"}
    assert expected == codes


def test_one_damaged_ledger_does_not_fail_the_others(filter_of: Configure) -> None:
    """Where a column cannot be turned into JSON as a whole, only the rows that cannot fail."""
    raw = XdrPayloads([b"broken", b"broken"], network="pubnet", type_name="LedgerCloseMeta")
    outputs = filter_of(where="payload.sequence > 1").process_batch(
        Batch(types="LedgerCloseMeta", payloads=raw)
    )
    assert {0, 1} == set(outputs.errors)


@pytest.mark.parametrize(
    ("rule", "passed", "dropped", "failed"),
    [
        ("error", [0], {}, [1]),
        ("drop", [0], {"field missing": 1}, []),
        ("pass", [0, 1], {}, []),
    ],
)
def test_missing_field_rule(
    filter_of: Configure,
    rule: str,
    passed: list[int],
    dropped: dict[str, int],
    failed: list[int],
) -> None:
    """`on_missing` decides what becomes of a message without the field."""
    batch = Batch.of("P", [{"amount": 20}, {"other": 1}])
    outputs = filter_of(where="payload.amount > 10", on_missing=rule).process_batch(batch)
    assert passed == list(outputs.parts[0].rows)
    assert dropped == outputs.dropped
    assert failed == list(outputs.errors)


def test_missing_field_is_an_error_by_default(filter_of: Configure) -> None:
    """By default nothing vanishes silently."""
    outputs = filter_of(where="payload.absent > 1").process_batch(payments(1))
    assert "expression.missing_field" == outputs.errors[0].code


def test_type_mismatch_is_no_missing_field(filter_of: Configure) -> None:
    """`on_missing` does not hide text compared with a number."""
    outputs = filter_of(where="payload.amount > 1", on_missing="drop").process_batch(payments("5"))
    assert "expression.failed" == outputs.errors[0].code


def test_only_some_types_are_judged(filter_of: Configure) -> None:
    """With `types`, messages of other types pass unread."""
    batch = Batch(
        types=["trade", "payment", "trade"],
        payloads=JsonPayloads([b'{"n":1}', b"{broken", b'{"n":9}']),
    )
    outputs = filter_of(where="payload.n > 5", types=["trade"]).process_batch(batch)
    assert [1, 2] == list(outputs.parts[0].rows)
    other = Batch(types="payment", payloads=JsonPayloads([b"{broken"]))
    passed = filter_of(where="payload.n > 5", types=["trade"]).process_batch(other)
    assert passed.parts[0].batch is other


def test_condition_that_gives_no_truth(filter_of: Configure) -> None:
    """A condition that gives a number for this message is an error of that row."""
    outputs = filter_of(where="payload.amount").process_batch(payments(1, True))
    assert [1] == list(outputs.parts[0].rows)
    assert "true or false expected" in outputs.errors[0].message


def test_condition_that_gives_an_object(filter_of: Configure) -> None:
    """The error tells what kind of value came, not the whole payload."""
    batch = Batch.of("t", [{"secret": "x" * 1000}])
    outputs = filter_of(where="payload").process_batch(batch)
    assert "`where`: true or false expected, `payload` gave an object" == outputs.errors[0].message


def test_wrong_condition_is_refused_at_once(filter_of: Configure) -> None:
    """A syntax error stops the pipeline before it starts, and names the setting."""
    with pytest.raises(ConfigInvalid, match=r"`where`.*column"):
        filter_of(where="payload.amount >")


def test_empty_batch(filter_of: Configure) -> None:
    """An empty batch gives nothing."""
    assert () == filter_of(where="true").process_batch(Batch.empty()).parts


def test_metadata_needs_no_configuration() -> None:
    """It says who it is before it is configured; every setting is described."""
    schema = Filter().metadata().config_schema
    assert ["where"] == schema["required"]
    assert all("description" in each for each in schema["properties"].values())
