"""Messages become tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from cdp_pipeline.connectors.backings import ArrowPayloads
from cdp_pipeline.connectors.tables import (
    NameTaken,
    SchemaChanged,
    TableNames,
    ValueInvalid,
    arrow_rows,
    check_schema,
    safe_name,
    split_by_type,
)
from cdpplugin import Batch

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ledger": {"type": "integer"},
        "amount": {"type": ["number", "null"]},
        "memo": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "ok": {"type": "boolean"},
        "at": {"type": "string", "format": "date-time"},
        "path": {"type": "array", "items": {"$ref": "#/$defs/asset"}},
        "asset": {"$ref": "#/$defs/asset"},
        "kind": {"enum": ["buy", "sell"]},
    },
    "required": ["ledger"],
    "$defs": {"asset": {"type": "object"}},
}


class TestSplitByType:
    def test_keeps_order_and_positions(self) -> None:
        """Each type gets its rows and their positions, in order."""
        batch = Batch.of("a", [1, 2, 3]).replace(types=["a", "b", "a"])

        found = split_by_type(batch, [10, 10, 11])

        assert [("a", [10, 11]), ("b", [10])] == [(kind, list(at)) for kind, _, at in found]
        assert [b"1", b"3"] == list(found[0][1].payloads.json())

    @pytest.mark.parametrize("types", ["a", ["a", "a"]])
    def test_one_type_is_not_copied(self, types: Any) -> None:
        """A batch of one type is handed on as it is."""
        batch = Batch(types=types, payloads=Batch.of("a", [1, 2]).payloads)

        ((_, found, _),) = split_by_type(batch, [1, 2])

        assert batch is found

    def test_empty(self) -> None:
        """No rows, no tables."""
        assert [] == split_by_type(Batch.empty(), [])


class TestArrowRows:
    def test_arrow_is_not_copied(self) -> None:
        """Typed rows are the record batch itself."""
        rows = pa.record_batch({"x": [1]})

        assert rows is arrow_rows(Batch(types="t", payloads=ArrowPayloads(rows)))

    def test_message_id_stands_in_front(self) -> None:
        """`message_id` adds the ids as the first column, whatever the payloads."""
        payloads = ArrowPayloads(pa.record_batch({"x": [1, 2]}))

        rows = arrow_rows(Batch(types="t", payloads=payloads, ids=["i", "j"]), message_id=True)

        assert {"message_id": ["i", "j"], "x": [1, 2]} == rows.to_pydict()

    def test_message_id_is_taken(self) -> None:
        """A column of the same name is not covered up."""
        payloads = ArrowPayloads(pa.record_batch({"message_id": [1]}))

        with pytest.raises(NameTaken, match="`message_id`"):
            arrow_rows(Batch(types="t", payloads=payloads), message_id=True)

    def test_without_schema(self) -> None:
        """Undeclared payloads are kept whole, as JSON text beside id and type."""
        batch = Batch.of("t", [{"a": 1}], ids=["i"], metadata=[{"m": 2}])

        rows = arrow_rows(batch)

        expected = {"id": "i", "type": "t", "payload": '{"a":1}', "metadata": '{"m":2}'}
        assert [expected] == rows.to_pylist()

    def test_declared_columns(self) -> None:
        """Each declared field is a column of its type; arrays and objects are JSON text."""
        payload = {
            "ledger": 3.0,
            "amount": 2,
            "memo": "hi",
            "ok": True,
            "at": "2020-07-28T22:00:00+02:00",
            "path": [1],
            "asset": {"code": "X"},
            "kind": "buy",
            "undeclared": 1,
        }

        rows = arrow_rows(Batch.of("t", [payload, {"ledger": 4}]), SCHEMA)

        first = payload | {
            "at": datetime(2020, 7, 28, 20, tzinfo=UTC),
            "path": "[1]",
            "asset": '{"code":"X"}',
        }
        del first["undeclared"]
        assert [first, dict.fromkeys(first) | {"ledger": 4}] == rows.to_pylist()

    def test_schema_does_not_depend_on_rows(self) -> None:
        """Columns have the declared types, also where all rows are null."""
        full = {"ledger": 1, "amount": 1.5, "memo": "m", "ok": True, "path": []}

        assert (
            arrow_rows(Batch.of("t", [full]), SCHEMA).schema
            == arrow_rows(Batch.of("t", [{"ledger": 1}]), SCHEMA).schema
        )

    @pytest.mark.parametrize(
        ("payload", "words"),
        [
            ({"ledger": "3"}, 'field `ledger` of message `bad`: expected an integer.*got `"3"`'),
            ({"ledger": True}, "expected an integer of 64 bits, got `true`"),
            ({"ledger": 2**63}, "expected an integer of 64 bits, got `9223372036854775808`"),
            ({"ledger": 1.5}, "expected an integer of 64 bits, got `1.5`"),
            ({}, "field `ledger` of message `bad`: expected an integer of 64 bits, got null"),
            ({"ledger": 1, "amount": 2**53 + 1}, "expected a number of 64 bits"),
            ({"ledger": 1, "at": "2020-07-28T22:00:00"}, "expected an RFC 3339 time"),
            ({"ledger": 1, "memo": 5}, "expected a string, got `5`"),
            ([1], r"the payload of message `bad`: expected an object, got `\[1\]`"),
        ],
    )
    def test_value_that_does_not_fit(self, payload: Any, words: str) -> None:
        """A value that would have to be changed to fit is refused by field and message."""
        batch = Batch.of("t", [{"ledger": 1}, payload], ids=["good", "bad"])

        with pytest.raises(ValueInvalid, match=words) as caught:
            arrow_rows(batch, SCHEMA)

        assert ("table.value_invalid", 1) == (caught.value.code, caught.value.row)

    def test_closed_schema(self) -> None:
        """`additionalProperties: false` refuses what is not declared."""
        schema = {"properties": {"a": {"type": "integer"}}, "additionalProperties": False}

        with pytest.raises(ValueInvalid, match="field `b` of row 0: expected no such field"):
            arrow_rows(Batch.of("t", [{"a": 1, "b": 2}]), schema)


class TestCheckSchema:
    @pytest.mark.parametrize(
        ("got", "words"),
        [
            ({"a": pa.int64()}, "expected column `b`, got none"),
            ({"a": pa.int64(), "b": pa.string(), "c": pa.string()}, "expected 2 columns, got `c`"),
            ({"a": pa.int64(), "b": pa.int64()}, "expected `.*b: string.*`, got `.*b: int64.*`"),
            ({"b": pa.string(), "a": pa.int64()}, "expected `.*a.*`, got `.*b.*`"),
        ],
    )
    def test_names_the_difference(self, got: dict[str, pa.DataType], words: str) -> None:
        """A changed table says which column is missing, new or different."""
        before = pa.schema({"a": pa.int64(), "b": pa.string()}.items())

        with pytest.raises(SchemaChanged, match=f"type `t` changed: {words}"):
            check_schema("t", before, pa.schema(got.items()))


class TestNames:
    @pytest.mark.parametrize("name", ["ledgers", "LedgerCloseMeta", "payment.v1", "a-b_c"])
    def test_plain_names_stay(self, name: str) -> None:
        """A type that is safe is its own name."""
        assert name == safe_name(name)

    def test_others_are_made_safe_and_kept_apart(self) -> None:
        """No type leaves its folder, hides itself, is too long, or shares another's name."""
        types = ["", "..", "_cdp", ".hidden", "a/b", "a b", "ü", "x" * 64, "x" * 65, "../../etc"]

        names = [safe_name(name) for name in types]

        assert len(types) == len(set(names))
        assert all(name[0].isalnum() and len(name) <= 63 and "/" not in name for name in names)

    def test_types_that_differ_in_case_only_are_refused(self) -> None:
        """Two types never share a table, also where case does not count."""
        names = TableNames()
        names.of("Payment")

        with pytest.raises(NameTaken, match="types `Payment` and `payment`"):
            names.of("payment")
