"""JSON in and out without a changed digit; a column that never changes."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import (
    Batch,
    JsonPayloads,
    PayloadInvalid,
    Sep51Payloads,
    UnsupportedEncoding,
    decode_json,
    encode_json,
)

from .scalar import Array, ArrowScalar, Scalar

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down: 1, 1.0 and True are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


class TestRoundTrip:
    @given(values)
    def test_what_is_encoded_is_decoded(self, value: Any) -> None:
        """Text, whole numbers of any size, floats and nesting come back as they were."""
        assert same(value, decode_json(encode_json(value)))

    @given(values)
    def test_other_peoples_json_means_the_same(self, value: Any) -> None:
        """Python's own library reads what we write, and we read what it writes."""
        assert same(value, json.loads(encode_json(value)))
        assert same(value, decode_json(json.dumps(value)))
        assert same(value, decode_json(json.dumps(value, ensure_ascii=False).encode()))

    @pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**40, 2**53 + 1])
    def test_whole_numbers_beyond_64_bits_are_exact(self, number: int) -> None:
        """A 128-bit amount is never rounded."""
        assert b"%d" % number == encode_json(number)
        assert same(number, decode_json(b"%d" % number))

    @pytest.mark.parametrize("text", ["1" * 5000, "1e400", "-1e400"])
    def test_numbers_beyond_all_bounds_are_refused(self, text: str) -> None:
        """What cannot be held exactly, or at all, is an error and not infinity."""
        with pytest.raises(PayloadInvalid):
            decode_json(text)

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_nan_and_infinity_are_refused(self, number: float) -> None:
        """JSON has no form for them (RFC 8259, section 6): wherever they are, never null."""
        for value in (number, [number], {"a": [None, {"b": (number,)}]}, Scalar(number), {number}):
            with pytest.raises(PayloadInvalid, match="NaN or an infinity"):
                encode_json(value)

    def test_null_is_no_nan(self) -> None:
        """None is written, also beside numbers and texts, in containers of every kind."""
        value = [None, 0.5, "null", {"a": None, "b": (None, Scalar(1.5))}, b"null", 10**30]

        assert [None, 0.5, "null", {"a": None, "b": [None, 1.5]}, "bnVsbA==", 10**30] == (
            decode_json(encode_json(value))
        )


class TestEncoding:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Scalar(0.5), b"0.5"),
            (Scalar(True), b"true"),
            (Scalar(2**63), b"9223372036854775808"),
            ({"deep": [Scalar(1)]}, b'{"deep":[1]}'),
            (Scalar(Scalar(1)), b"1"),
            (Array([1, 2]), b"[1,2]"),
            (Array([1]), b"[1]"),
            (Array([]), b"[]"),
            (ArrowScalar("x"), b'"x"'),
            ({1: "a"}, b'{"1":"a"}'),
            (b"abc", b'"YWJj"'),
        ],
        ids=repr,
    )
    def test_values_of_numerical_libraries(self, value: Any, expected: bytes) -> None:
        """A scalar is what it holds; an array of one is still an array."""
        assert expected == encode_json(value)

    def test_arrow_scalars(self) -> None:
        """Pyarrow's own scalars are taken for what they hold."""
        pyarrow = pytest.importorskip("pyarrow")

        assert b"[1,null]" == encode_json([pyarrow.scalar(1), pyarrow.scalar(None)])

    def test_metadata_that_nobody_set_is_an_empty_object(self) -> None:
        """The shared empty mapping cannot be written to, and is written as `{}`."""
        [metadata] = Batch.of("T", [1]).metadata

        assert b"{}" == encode_json(metadata)
        with pytest.raises(TypeError):
            metadata["x"] = 1  # type: ignore[index]

    def test_what_json_has_no_form_for_is_refused(self) -> None:
        """Never a repr, never a silent null."""
        circle: list[Any] = []
        circle.append(circle)
        endless = Scalar(None)
        endless._value = endless
        for value in (object(), 1j, {(1, 2): 3}, {None: 1}, "\ud800", circle, endless, len):
            with pytest.raises(PayloadInvalid) as caught:
                encode_json({"a": value})
            assert "message.payload_invalid" == caught.value.code
            assert caught.value.hint


class TestDecoding:
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "{",
                "[1,]",
                "{'a':1}",
                "NaN",
                "Infinity",
                "01",
                "1 2",
                "nul",
                '"a\nb"',
                "\ufeff1",
            ),
            *('"\\ud800"', "[" * 100_000, b"\xff", b'"\xff"', "undefined", "+1", ".5", "1."),
        ],
        ids=lambda text: repr(text[:12]),
    )
    def test_what_is_no_json_is_refused(self, text: bytes | str) -> None:
        """Only RFC 8259, and no deeper than can be read."""
        with pytest.raises(PayloadInvalid) as caught:
            decode_json(text)
        assert "message.payload_invalid" == caught.value.code

    @given(st.binary(max_size=60))
    def test_garbage_is_an_error_of_one_kind(self, text: bytes) -> None:
        """Whatever bytes come: a value, or `PayloadInvalid`."""
        with suppress(PayloadInvalid):
            decode_json(text)


columns = st.sampled_from([JsonPayloads, Sep51Payloads])
rows = st.lists(scalars, max_size=12)


class TestColumn:
    @given(columns, rows, st.data())
    def test_take_and_slice_agree_with_a_list(
        self, column: type[JsonPayloads], plain: list[Any], data: st.DataObject
    ) -> None:
        """A column behaves as the list of its rows does."""
        held = column.of(plain)
        encoded = [encode_json(value) for value in plain]
        picks = st.lists(st.integers(0, len(plain) - 1)) if plain else st.just([])
        picked = data.draw(picks)
        start = data.draw(st.integers(0, len(plain)))
        stop = data.draw(st.integers(start, len(plain)))

        assert [encoded[row] for row in picked] == list(held.take(picked).json())
        assert encoded[start:stop] == list(held.slice(start, stop).json())
        assert column is type(held.take(picked)) is type(held.slice(start, stop))
        assert sum(map(len, encoded)) == held.size_bytes

    @given(columns, st.lists(rows, min_size=1, max_size=4))
    def test_concat_agrees_with_a_list(
        self, column: type[JsonPayloads], plain: list[list[Any]]
    ) -> None:
        """Columns of one backing are put one after another."""
        first, *others = [column.of(each) for each in plain]
        whole = first.concat(others)

        assert whole is not None
        assert [encode_json(value) for each in plain for value in each] == list(whole.json())

    def test_backings_that_do_not_mix_say_so(self) -> None:
        """SEP-51 text is not plain plugin JSON, though both are JSON."""
        assert JsonPayloads.of([1]).concat([Sep51Payloads.of([1])]) is None

    def test_each_reader_gets_an_object_of_its_own(self) -> None:
        """Changing what was read changes neither the column nor what others read."""
        held = JsonPayloads.of([{"a": [1]}])
        first = held.value(0)
        first["a"].append(2)

        assert {"a": [1]} == held.value(0)
        assert b'{"a":[1]}' == held.json()[0]

    def test_a_column_is_made_of_what_values_were(self) -> None:
        """Changing an object after it was encoded changes nothing."""
        value = {"a": 1}
        held = JsonPayloads.of([value])
        value["a"] = 2

        assert {"a": 1} == held.value(0)

    def test_other_forms(self) -> None:
        """A column is its own form; SEP-51 is JSON; JSON is nothing else."""
        plain, sep51 = JsonPayloads.of([1]), Sep51Payloads.of([1])

        assert plain is plain.to("json")
        assert sep51 is sep51.to("sep51")
        assert "json" == sep51.to("json").encoding
        for held, encoding in ((plain, "xdr"), (plain, "sep51"), (sep51, "arrow")):
            with pytest.raises(UnsupportedEncoding) as caught:
                held.to(encoding)  # type: ignore[arg-type]
            assert f"`{encoding}`" in caught.value.message
