from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.connectors.processors.flatten import Flatten
from cdpplugin import Batch, ConfigInvalid, JsonPayloads, Outputs

from .conftest import Configure

LEDGER = {"sequence": 7, "header": {"hash": "ab"}, "operations": [{"kind": "pay"}, {"kind": "set"}]}


def run(processor: Any, *payloads: Any) -> Outputs:
    batch = Batch.of("Ledger", payloads, ids=[f"l:{i}" for i in range(len(payloads))])
    outputs: Outputs = processor.process_batch(batch)
    return outputs


def values(outputs: Outputs) -> list[Any]:
    assert {} == outputs.errors
    batch = outputs.parts[0].batch
    return [batch.payloads.value(row) for row in range(len(batch))]


def test_explode_gives_a_message_an_element(flatten_of: Configure) -> None:
    """Each element is a message, in order, mapped to the row it comes from."""
    outputs = run(flatten_of(explode="operations"), LEDGER, {"operations": [{"kind": "x"}]})
    assert [{"kind": "pay"}, {"kind": "set"}, {"kind": "x"}] == values(outputs)
    assert [0, 0, 1] == list(outputs.parts[0].rows)


def test_metadata_tells_index_and_parent(flatten_of: Configure) -> None:
    """`index` and `parent_id` are in the metadata; the host derives the element's own id."""
    batch = run(flatten_of(explode="operations"), LEDGER).parts[0].batch
    assert [{"index": 0, "parent_id": "l:0"}, {"index": 1, "parent_id": "l:0"}] == batch.metadata
    assert ["", ""] == list(batch.ids)
    assert ["Ledger", "Ledger"] == list(batch.types)


def test_type(flatten_of: Configure) -> None:
    """`type` names the new messages."""
    batch = run(flatten_of(explode="operations", type_="Operation"), LEDGER).parts[0].batch
    assert ["Operation", "Operation"] == list(batch.types)


def test_item_with_parent_fields(flatten_of: Configure) -> None:
    """`keep` copies fields of the parent into each element, under their last names."""
    processor = flatten_of(explode="operations", keep=["sequence", "header.hash"])
    assert {"kind": "pay", "sequence": 7, "hash": "ab"} == values(run(processor, LEDGER))[0]


def test_scalar_items_with_parent_fields(flatten_of: Configure) -> None:
    """An element that is no object goes into a field named like the array."""
    processor = flatten_of(explode="a.tags", keep=["n"])
    expected = [{"tags": "x", "n": 1}, {"tags": None, "n": 1}]
    assert expected == values(run(processor, {"n": 1, "a": {"tags": ["x", None]}}))


def test_kept_field_never_overwrites(flatten_of: Configure) -> None:
    """A parent field of the name of an element's field is an error, not a lost value."""
    outputs = run(flatten_of(explode="l", keep=["n"]), {"n": 1, "l": [{"n": 2}]})
    assert "field.exists" == outputs.errors[0].code


def test_replace_is_unnest(flatten_of: Configure) -> None:
    """`as: replace` keeps the whole payload, with the element in the array's place."""
    payload = {"n": 1, "a": {"l": [1, 2], "m": 3}}
    expected = [{"n": 1, "a": {"l": 1, "m": 3}}, {"n": 1, "a": {"l": 2, "m": 3}}]
    assert expected == values(run(flatten_of(explode="a.l", as_="replace"), payload))


def test_replace_with_keep(flatten_of: Configure) -> None:
    """With `as: replace`, `keep` names the only other fields."""
    processor = flatten_of(explode="l", as_="replace", keep=["n"])
    assert [{"n": 1, "l": 5}] == values(run(processor, {"n": 1, "m": 2, "l": [5]}))


def test_empty_array_gives_nothing(flatten_of: Configure) -> None:
    """An empty array gives no message; that is counted."""
    outputs = run(flatten_of(explode="l"), {"l": []})
    assert () == outputs.parts
    assert {"empty array": 1} == outputs.dropped


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"other": 1}, "field.missing"),
        ({"l": {"a": 1}}, "field.not_array"),
        ({"l": None}, "field.not_array"),
        ([1], "field.missing"),
    ],
)
def test_missing_array_rule(flatten_of: Configure, payload: Any, code: str) -> None:
    """A missing array, or what is none: an error by default, dropped, or passed on as it came."""
    assert code == run(flatten_of(explode="l"), payload).errors[0].code
    dropped = run(flatten_of(explode="l", on_missing="drop"), payload)
    assert {"field missing": 1} == dropped.dropped
    passed = run(flatten_of(explode="l", on_missing="pass", type_="T"), payload)
    assert [payload] == values(passed)
    assert ["Ledger"] == list(passed.parts[0].batch.types)
    assert ["l:0"] == list(passed.parts[0].batch.ids)


def test_nested_objects_become_columns(flatten_of: Configure) -> None:
    """`nested` joins names; arrays and empty objects stay, the id too."""
    payload = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": [{"g": 4}], "h": {}}
    outputs = run(flatten_of(nested={}), payload)
    assert [{"a": 1, "b_c": 2, "b_d_e": 3, "f": [{"g": 4}], "h": {}}] == values(outputs)
    assert ["l:0"] == list(outputs.parts[0].batch.ids)


def test_depth_and_separator(flatten_of: Configure) -> None:
    """`max_depth` bounds how many levels are taken apart."""
    processor = flatten_of(nested={"separator": ".", "max_depth": 1})
    assert [{"a.b": {"c": 1}}] == values(run(processor, {"a": {"b": {"c": 1}}}))


def test_equal_names_are_an_error(flatten_of: Configure) -> None:
    """Two values for one column are an error, not a lost value."""
    outputs = run(flatten_of(nested={}), {"a_b": 1, "a": {"b": 2}})
    assert "field.exists" == outputs.errors[0].code


def test_explode_then_nested(flatten_of: Configure) -> None:
    """With both, the elements are flattened."""
    processor = flatten_of(explode="l", nested={})
    assert [{"a_b": 1}] == values(run(processor, {"l": [{"a": {"b": 1}}]}))


def test_one_bad_row_does_not_fail_the_others(flatten_of: Configure) -> None:
    """Rows that fail are errors of their own, without outputs."""
    payloads = JsonPayloads([b'{"l":[{"a":1}]}', b"{broken", b'{"l":[{"a":1},5]}', b'{"l":[{}]}'])
    outputs = flatten_of(explode="l", nested={}).process_batch(Batch(types="P", payloads=payloads))
    assert {1: "message.payload_invalid", 2: "field.not_object"} == {
        row: error.code for row, error in outputs.errors.items()
    }
    assert [0, 3] == list(outputs.parts[0].rows)


def test_large_numbers_survive(flatten_of: Configure) -> None:
    """Values keep their exact value."""
    payload = {"l": [{"n": 2**64 - 1}, {"n": 2**100}]}
    assert payload["l"] == values(run(flatten_of(explode="l"), payload))


@pytest.mark.parametrize("config", [{}, {"explode": "a..b"}, {"nested": {"separator": ""}}])
def test_wrong_settings_are_refused(flatten_of: Configure, config: dict[str, Any]) -> None:
    """Wrong settings are refused before anything runs."""
    with pytest.raises(ConfigInvalid):
        flatten_of(**config)


def test_metadata_needs_no_configuration() -> None:
    """It says who it is before it is configured; every setting is described, by its own name."""
    properties = Flatten().metadata().config_schema["properties"]
    assert {"as", "type"} <= set(properties)
    assert all("description" in each for each in properties.values())
