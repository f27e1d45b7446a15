from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.connectors.processors.map import Map
from cdpplugin import Batch, ConfigInvalid, JsonPayloads, Outputs

from .conftest import Configure


def only(outputs: Outputs) -> Any:
    """The one payload of *outputs*."""
    assert {} == outputs.errors
    return outputs.parts[0].batch.payloads.value(0)


def run(processor: Any, payload: Any, **columns: Any) -> Outputs:
    columns = {name: [value] for name, value in columns.items()}
    outputs: Outputs = processor.process_batch(Batch.of("Payment", [payload], **columns))
    return outputs


def test_set_makes_fields(map_of: Configure) -> None:
    """`set` puts values of expressions, other values as they stand, objects where needed."""
    processor = map_of(
        set_={
            "amount": "int(payload.amount)",
            "asset.code": '"XLM"',
            "checked": False,
            "tags": ["a", {"b": 1}],
        }
    )
    expected = {
        "amount": 2**53 + 1,
        "asset": {"code": "XLM"},
        "checked": False,
        "tags": ["a", {"b": 1}],
    }
    assert expected == only(run(processor, {"amount": "9007199254740993"}))


def test_expressions_see_the_message_as_it_came(map_of: Configure) -> None:
    """Two fields can be swapped: no expression sees what another has set."""
    processor = map_of(set_={"a": "payload.b", "b": "payload.a"})
    assert {"a": 2, "b": 1} == only(run(processor, {"a": 1, "b": 2}))


def test_order_of_operations(map_of: Configure) -> None:
    """`keep`, `remove`, `rename`, `set`, whatever their order in the file."""
    processor = map_of(
        set_={"x": "payload.gone", "y": "payload.a"},
        rename={"a": "x"},
        remove=["b"],
        keep=["a", "b"],
    )
    assert {"x": 3, "y": 1} == only(run(processor, {"gone": 3, "b": 2, "a": 1}))


def test_keep_orders_and_nests(map_of: Configure) -> None:
    """`keep` gives the fields in its own order, nested ones in their objects; none need exist."""
    payload = {"z": 1, "asset": {"code": "USD", "issuer": "G"}, "a": 2}
    kept = only(run(map_of(keep=["a", "asset.code", "absent"]), payload))
    assert [("a", 2), ("asset", {"code": "USD"})] == list(kept.items())


def test_remove(map_of: Configure) -> None:
    """`remove` leaves fields out; one that is not there is fine."""
    payload = {"a": 1, "b": {"c": 2, "d": 3}}
    assert {"b": {"d": 3}} == only(run(map_of(remove=["a", "b.c", "absent"]), payload))


def test_rename(map_of: Configure) -> None:
    """`rename` moves values, also into and out of objects, and swaps names."""
    processor = map_of(rename={"a": "b", "b": "a", "c.d": "e", "f": "g.h"})
    renamed = only(run(processor, {"a": 1, "b": 2, "c": {"d": 3}, "f": 4}))
    assert {"b": 1, "a": 2, "c": {}, "e": 3, "g": {"h": 4}} == renamed


def test_rename_never_overwrites(map_of: Configure) -> None:
    """Renaming onto a field that stays is an error: nothing vanishes silently."""
    outputs = run(map_of(rename={"a": "b"}), {"a": 1, "b": 2})
    assert "field.exists" == outputs.errors[0].code


def test_dot_in_a_name(map_of: Configure) -> None:
    r"""A dot that belongs to a name is written `\.`."""
    assert {"b": 1} == only(run(map_of(rename={r"a\.b": "b"}), {"a.b": 1}))


def test_metadata_into_the_payload(map_of: Configure) -> None:
    """An id and fields that a plugin put in metadata can be copied into the payload."""
    processor = map_of(
        set_={"id": "id", "fraud": "metadata.fraud", "score": "metadata.fraud.score"}
    )
    fraud = {"score": 0.9, "label": "high"}
    outputs = run(processor, {"n": 1}, ids="pubnet:7", metadata={"fraud": fraud})
    assert {"n": 1, "id": "pubnet:7", "fraud": fraud, "score": 0.9} == only(outputs)


class Scalar:
    """A number as numpy has them: not Python's, but giving one."""

    def item(self) -> float:
        return 0.75


def test_foreign_scalars_in_metadata(map_of: Configure) -> None:
    """Scalars as numpy has them, left in metadata by a plugin, are taken for what they hold."""
    processor = map_of(set_={"score": "metadata.score", "high": "metadata.score > 0.5"})
    outputs = run(processor, {}, metadata={"score": Scalar()})
    assert {"score": 0.75, "high": True} == only(outputs)


def test_metadata_is_set(map_of: Configure) -> None:
    """`metadata` adds to what is there; the payload's bytes stay as they are."""
    batch = Batch(
        types="P", payloads=JsonPayloads([b'{ "n": 1 }']), metadata=[{"old": 1}], ids=["x"]
    )
    outputs = map_of(metadata={"n": "payload.n", "flag": True}).process_batch(batch)
    result = outputs.parts[0].batch
    assert {"old": 1, "n": 1, "flag": True} == result.metadata[0]
    assert b'{ "n": 1 }' == result.payloads.json()[0]
    assert "x" == result.ids[0]
    assert {"old": 1} == batch.metadata[0]


def test_type(map_of: Configure) -> None:
    """`type` is put as it stands, `type_expression` is evaluated."""
    batch = Batch.of("Payment", [{"n": 1}, {"n": 9}])
    assert ["Big", "Big"] == list(map_of(type_="Big").process_batch(batch).parts[0].batch.types)
    processor = map_of(type_expression='payload.n > 5 ? "Large" + type : type')
    kinds = processor.process_batch(batch).parts[0].batch.types
    assert ["Payment", "LargePayment"] == list(kinds)


def test_type_must_be_text(map_of: Configure) -> None:
    """A type that is not text, or empty, is an error of that row."""
    for expression in ("payload.n", '""'):
        outputs = run(map_of(type_expression=expression), {"n": 1})
        assert "expression.failed" == outputs.errors[0].code


def test_large_numbers_survive(map_of: Configure) -> None:
    """Fields that are not named keep their exact values."""
    payload = {"u64": 2**64 - 1, "i128": 2**100, "f": 0.1, "s": "é☃"}
    assert payload | {"x": 1} == only(run(map_of(set_={"x": 1}), payload))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("error", None), ("drop", None), ("pass", {"a": 1, "c": 1})],
)
def test_missing_field_rule(map_of: Configure, rule: str, expected: object) -> None:
    """`on_missing`: an error, the message dropped, or passed on without that one change."""
    processor = map_of(set_={"b": "payload.absent", "c": "payload.a"}, on_missing=rule)
    outputs = run(processor, {"a": 1})
    assert (["expression.missing_field"] if rule == "error" else []) == [
        error.code for error in outputs.errors.values()
    ]
    assert ({"field missing": 1} if rule == "drop" else {}) == outputs.dropped
    if expected is None:
        assert () == outputs.parts
    else:
        assert expected == only(outputs)


def test_rename_of_a_missing_field(map_of: Configure) -> None:
    """`rename` needs its field, under the same rule."""
    assert "field.missing" == run(map_of(rename={"x": "y"}), {"a": 1}).errors[0].code
    assert {"a": 1} == only(run(map_of(rename={"x": "y"}, on_missing="pass"), {"a": 1}))


def test_one_bad_row_does_not_fail_the_others(map_of: Configure) -> None:
    """Rows that fail are errors of their own; the others keep their order and ids."""
    payloads = JsonPayloads([b'{"n":1}', b"{broken", b'{"n":"x"}', b"[1]", b'{"n":4}'])
    batch = Batch(types="P", payloads=payloads, ids=list("abcde"))
    outputs = map_of(set_={"m": "payload.n + 1"}).process_batch(batch)
    assert [0, 4] == list(outputs.parts[0].rows)
    assert ["a", "e"] == list(outputs.parts[0].batch.ids)
    assert [{"n": 1, "m": 2}, {"n": 4, "m": 5}] == [
        outputs.parts[0].batch.payloads.value(row) for row in range(2)
    ]
    assert {1, 2, 3} == set(outputs.errors)


def test_payload_that_is_no_object(map_of: Configure) -> None:
    """Fields cannot be set in a list; the error says so."""
    assert "field.not_object" == run(map_of(set_={"a": 1}), [1]).errors[0].code
    assert "field.not_object" == run(map_of(set_={"a.b": 1}), {"a": 5}).errors[0].code


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "changes nothing"),
        ({"set": {"a": "payload.b +"}}, r"`set\.a`.*column"),
        ({"set": {"a..b": 1}}, "`set`"),
        ({"type": "A", "type_expression": "type"}, "got both"),
        ({"sett": {}}, "`sett`"),
    ],
)
def test_wrong_settings_are_refused(
    map_of: Configure, config: dict[str, Any], message: str
) -> None:
    """Wrong settings are refused before anything runs, and named."""
    with pytest.raises(ConfigInvalid, match=message):
        map_of(**config)


def test_metadata_needs_no_configuration() -> None:
    """It says who it is before it is configured; every setting is described, by its own name."""
    properties = Map().metadata().config_schema["properties"]
    assert {"set", "type"} <= set(properties)
    assert all("description" in each for each in properties.values())
