"""Batches as text: everything arrives as it was, and a column never changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import (
    Batch,
    Drop,
    Fatal,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    Retry,
    Sep51Payloads,
    UnsupportedEncoding,
    concat,
    decode_json,
    view,
)
from cdpplugin.component.reading import Received, read
from cdpplugin.component.told import error_facts
from cdpplugin.component.writing import write

from .test_json import same, values
from .test_vectors import VECTORS, Case

MEMBERS = ("id", "type", "payload", "metadata", "source", "trace_id", "content_type")
EMPTY: Mapping[str, Any] = {"metadata": {}, "source": {"name": "", "network": "", "uri": ""}}


def cases(file: str) -> Any:
    """Return the cases of *file* that have a form in text, as parameters named after them."""
    found = json.loads((VECTORS / f"{file}.json").read_text())["cases"]
    sound = [each for each in found if "refused" not in each and each.get("encoding") != "xdr"]
    return pytest.mark.parametrize("case", sound, ids=[each["name"] for each in sound])


def message_text(message: Mapping[str, Any]) -> str:
    """Return a message of the vectors as the host writes it: the payload is its exact text."""
    held = {name: (EMPTY | message)[name] for name in MEMBERS if name != "payload"}
    return f'{json.dumps(held)[:-1]},"payload":{message["payload"]}}}'


def error_of(told: Mapping[str, Any]) -> PluginError:
    """Return the error that the vectors describe."""
    named = {name: told.get(name) for name in ("code", "hint")}
    if told["instruction"] == "retry":
        return Retry(told["message"], after_s=told.get("retry_after_s"), **named)
    if told["instruction"] == "drop":
        drop = Drop(told["message"])
        drop.code = told["code"]
        return drop
    kind = Fatal if told["instruction"] == "fatal" else PluginError
    return kind(told["message"], **named)


def received(*payloads: str, encoding: Any = "json") -> Received:
    """A batch of these payloads, which are texts."""
    base = {"type": "T", "trace_id": "", "content_type": "application/json"}
    rows = [{**base, "id": f"m{row}", "payload": text} for row, text in enumerate(payloads)]
    return read(f"[{','.join(map(message_text, rows))}]", encoding)


def parsed(*payloads: str, encoding: Any = "json") -> JsonPayloads:
    held = received(*payloads, encoding=encoding).batch.payloads
    assert isinstance(held, JsonPayloads)
    return held


class TestVectors:
    @cases("batches")
    def test_batches(self, case: Case) -> None:
        """A batch of the golden vectors means the same as text."""
        texts = ",".join(map(message_text, case["messages"]))
        batch = read(f"[{texts}]", case["encoding"]).batch
        assert case["encoding"] == batch.payloads.encoding
        for row, message in enumerate(case["messages"]):
            found = view(batch, row)
            assert same(decode_json(message["payload"]), found.payload)
            expected = {**EMPTY, **message}
            source = {name: getattr(found.source, name) for name in ("name", "network", "uri")}
            assert (expected["source"], expected["metadata"]) == (source, found.metadata)
            for name in ("id", "type", "trace_id", "content_type"):
                assert expected[name] == getattr(found, name)

    @cases("errors")
    def test_errors(self, case: Case) -> None:
        """An error of the golden vectors says as text what it says on the wire."""
        expected = dict(case["error"])
        told = error_facts(error_of(case["error"]))
        assert expected.pop("instruction") == told.pop("instruction", "none")
        assert {"hint": "", **expected} == told

    @cases("answers")
    def test_answers(self, case: Case) -> None:
        """Outputs, errors and counted reasons of an answer stand with their rows."""
        batch = received(*["0"] * case["rows"])
        outputs = [{**EMPTY, **message} for message in case["outputs"]]
        columns = Batch(
            payloads=JsonPayloads([each["payload"].encode() for each in outputs]),
            **{  # type: ignore[arg-type]
                column: [each[name] for each in outputs]
                for name, column in (("id", "ids"), ("type", "types"), ("metadata", "metadata"))
            },
        )
        errors = {each["row"]: error_of(each["error"]) for each in case["errors"]}
        part = OutputPart(columns, case["output_rows"])
        found = json.loads(write(Outputs((part,), errors, case["dropped"]), batch))
        assert case["rows"] == len(found)
        rows = [row for row, each in enumerate(found) for _ in each.get("outputs", ())]
        assert case["output_rows"] == rows
        given = [each for row in found for each in row.get("outputs", ())]
        assert [each["id"] for each in outputs] == [each["id"] for each in given]
        assert [json.loads(each["payload"]) for each in outputs] == [e["payload"] for e in given]
        assert sorted(errors) == [row for row, each in enumerate(found) if "error" in each]
        reasons = [each["dropped"] for each in found if "dropped" in each]
        assert dict(case["dropped"]) == {reason: reasons.count(reason) for reason in reasons}


class TestPayloads:
    def test_each_reader_gets_an_object_of_its_own(self) -> None:
        """Changing what was read changes neither the column nor what others read."""
        held = parsed('{"a":[1]}', "[2]")
        first, second = held.value(0), held.value(0)
        first["a"].append(3)
        second["b"] = 4
        assert {"a": [1]} == held.value(0)
        assert [b'{"a":[1]}', b"[2]"] == list(held.json())

    def test_a_message_that_was_changed_and_is_read_again(self) -> None:
        """A batch that is worked on a second time is the batch that came."""
        batch = received('{"n":1}', '{"n":2}').batch
        for row in range(2):
            view(batch, row).payload["n"] = 0
        assert [{"n": 1}, {"n": 2}] == [view(batch, row).payload for row in range(2)]

    @given(st.lists(values, max_size=6), st.data())
    def test_take_and_slice_agree_with_a_list(self, plain: list[Any], data: st.DataObject) -> None:
        """A column behaves as the list of its rows does."""
        held = parsed(*(json.dumps(value) for value in plain))
        rows = st.lists(st.integers(0, len(plain) - 1)) if plain else st.just([])
        picked = data.draw(rows)
        start = data.draw(st.integers(0, len(plain)))
        stop = data.draw(st.integers(start, len(plain)))

        def read_all(column: Any) -> list[Any]:
            return [column.value(row) for row in range(len(column))]

        assert same(plain[start:stop], read_all(held.slice(start, stop)))
        assert same([plain[row] for row in picked], read_all(held.take(picked)))
        assert same(plain, [decode_json(text) for text in held.json()])
        assert same(plain[start:stop], [decode_json(text) for text in held.json()[start:stop]])

    def test_it_mixes_with_what_the_author_makes(self) -> None:
        """Columns that came and columns that were made are put one after another."""
        came, made = received("1", "2").batch, Batch.of("U", [3])
        for batches, expected in (([came, made], [1, 2, 3]), ([made, came], [3, 1, 2])):
            whole = concat(batches)
            assert whole is not None
            assert expected == [whole.payloads.value(row) for row in range(3)]

    def test_encodings_do_not_mix(self) -> None:
        """SEP-51 text is not plain plugin JSON, though both are JSON."""
        assert parsed("1").concat([Sep51Payloads.of([1])]) is None
        assert parsed("1", encoding="sep51").concat([JsonPayloads.of([1])]) is None
        assert JsonPayloads.of([1]).concat([parsed("1", encoding="sep51")]) is None

    def test_other_forms(self) -> None:
        """It is its own form; SEP-51 is JSON; JSON is nothing else."""
        plain, sep51 = parsed("1"), parsed("1", encoding="sep51")
        assert plain is plain.to("json")
        assert ("json", b"1") == (sep51.to("json").encoding, sep51.to("json").json()[0])
        with pytest.raises(UnsupportedEncoding):
            plain.to("xdr")
