"""A column that never changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import Batch, JsonPayloads, Sep51Payloads, UnsupportedEncoding, encode_json

from .test_json import scalars

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


def test_metadata_that_nobody_set_is_an_empty_object() -> None:
    """The shared empty mapping cannot be written to, and is written as `{}`."""
    [metadata] = Batch.of("T", [1]).metadata

    assert b"{}" == encode_json(metadata)
    with pytest.raises(TypeError):
        metadata["x"] = 1  # type: ignore[index]
