"""Columns behave as plain lists do, whatever they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import (
    Batch,
    Constant,
    JsonPayloads,
    Lazy,
    Sep51Payloads,
    SourceInfo,
    UnsupportedEncoding,
    concat,
    encode_json,
)
from cdpplugin.batch import concat_columns, slice_column, take_column

COLUMNS = ("ids", "types", "metadata", "sources", "trace_ids", "content_types")
items = st.sampled_from(["", "a", "b"])


@st.composite
def columns(draw: st.DrawFn) -> tuple[Sequence[str], list[str]]:
    """A column of any make, and the list it stands for."""
    make = draw(st.sampled_from(["constant", "lazy", "list", "tuple", "lazy constant"]))
    if "constant" in make:
        value, length = draw(items), draw(st.integers(0, 6))
        constant: Sequence[str] = Constant(value, length)
        return (constant if make == "constant" else Lazy(length, lambda: constant)), [
            value
        ] * length
    plain = draw(st.lists(items, max_size=6))
    if make == "lazy":
        return Lazy(len(plain), lambda: plain), plain
    return (tuple(plain) if make == "tuple" else plain), plain


class TestColumns:
    @given(columns())
    def test_a_column_is_a_sequence(self, pair: tuple[Sequence[str], list[str]]) -> None:
        """Length, iteration, indexing from both ends, and containment."""
        column, plain = pair
        assert len(plain) == len(column)
        assert plain == list(column)
        for row in range(-len(plain), len(plain)):
            assert plain[row] == column[row]
        for row in (len(plain), -len(plain) - 1):
            with pytest.raises(IndexError):
                column[row]
        for value in ("", "a", "b"):
            assert (value in plain) == (value in column)

    @given(columns(), st.slices(6))
    def test_slices(self, pair: tuple[Sequence[str], list[str]], cut: slice) -> None:
        """Any slice, also backwards and with steps."""
        column, plain = pair

        assert plain[cut] == list(column[cut])

    @given(columns(), st.data())
    def test_take(self, pair: tuple[Sequence[str], list[str]], data: st.DataObject) -> None:
        """Rows in any order, also several times."""
        column, plain = pair
        rows = data.draw(st.lists(st.integers(0, len(plain) - 1)) if plain else st.just([]))

        assert [plain[row] for row in rows] == list(take_column(column, rows))
        assert plain == list(take_column(column, range(len(plain))))

    @given(columns(), st.data())
    def test_slice_column(self, pair: tuple[Sequence[str], list[str]], data: st.DataObject) -> None:
        """Any part of a column."""
        column, plain = pair
        start = data.draw(st.integers(0, len(plain)))
        stop = data.draw(st.integers(start, len(plain)))
        cut = slice_column(column, start, stop)

        assert stop - start == len(cut)
        assert plain[start:stop] == list(cut)

    @given(st.lists(columns(), min_size=1, max_size=4))
    def test_concat(self, pairs: list[tuple[Sequence[str], list[str]]]) -> None:
        """Columns of different makes are put one after another."""
        whole = concat_columns([column for column, _ in pairs])
        plain = [value for _, each in pairs for value in each]

        assert len(plain) == len(whole)
        assert plain == list(whole)

    @given(columns(), st.data())
    def test_operations_follow_one_another(
        self, pair: tuple[Sequence[str], list[str]], data: st.DataObject
    ) -> None:
        """Any chain of take, slice and concat agrees with the same chain on a list."""
        column, plain = pair
        for operation in data.draw(st.lists(st.sampled_from("tsc"), max_size=5)):
            if operation == "t":
                rows = data.draw(st.lists(st.integers(0, len(plain) - 1)) if plain else st.just([]))
                column, plain = take_column(column, rows), [plain[row] for row in rows]
            elif operation == "s":
                start = data.draw(st.integers(0, len(plain)))
                stop = data.draw(st.integers(start, len(plain)))
                column, plain = slice_column(column, start, stop), plain[start:stop]
            else:
                other, more = data.draw(columns())
                column, plain = concat_columns([column, other]), plain + more
        assert plain == list(column)


class TestLazy:
    def test_it_is_computed_once_and_only_when_read(self) -> None:
        """Taking, slicing and joining read nothing; reading reads once."""
        made: list[int] = []

        def make() -> list[str]:
            made.append(1)
            return ["a", "b", "c"]

        column = Lazy(3, make)
        derived = [take_column(column, [2, 0]), slice_column(column, 1, 3)]
        whole = concat_columns([column, *derived])
        assert [] == made
        assert ["a", "b", "c", "c", "a", "b", "c"] == list(whole)
        assert ["c", "a"] == list(derived[0])
        assert [1] == made

    def test_a_column_of_another_length_is_refused(self) -> None:
        """A column that does not hold what it promised would shift every row behind."""
        with pytest.raises(ValueError, match="3 rows was made of 2"):
            list(Lazy(3, lambda: ["a", "b"]))

    def test_a_failure_is_not_remembered_as_nothing(self) -> None:
        """What could not be computed raises each time it is read."""

        def make() -> list[str]:
            raise KeyError("x")

        column = Lazy(1, make)
        for _ in range(2):
            with pytest.raises(KeyError):
                column[0]


class TestConstant:
    def test_equal_texts_stay_one_constant(self) -> None:
        """A stage that asks for the type of a whole batch gets one answer."""
        whole = concat_columns([Constant("a", 2), Constant("a", 3)])

        assert isinstance(whole, Constant)
        assert ("a", 5) == (whole.value, len(whole))

    def test_values_that_only_compare_equal_stay_apart(self) -> None:
        """1, 1.0 and True are three JSON values."""
        metadata = [{"n": 1}, {"n": 1.0}, {"n": True}]
        whole = concat_columns([Constant(each, 1) for each in metadata])

        assert [encode_json(each) for each in metadata] == [encode_json(each) for each in whole]


def batch_of(plain: list[int]) -> Batch:
    """A batch whose every column tells the row."""
    names = [f"{n}" for n in plain]
    return Batch(
        types=names,
        payloads=JsonPayloads.of(plain),
        ids=Lazy(len(names), lambda: names),
        metadata=[{"n": n} for n in plain],
        sources=[SourceInfo(name) for name in names],
        trace_ids=tuple(names),
    )


def rows_of(batch: Batch) -> list[Any]:
    """The row that each column of each row tells: all the same where nothing was mixed up."""
    told = zip(
        map(int, batch.types),
        (batch.payloads.value(row) for row in range(len(batch))),
        map(int, batch.ids),
        (each["n"] for each in batch.metadata),
        (int(each.name) for each in batch.sources),
        map(int, batch.trace_ids),
        strict=True,
    )
    return [row[0] if len(set(row)) == 1 else row for row in told]


class TestBatch:
    @given(st.lists(st.integers(0, 99), max_size=8), st.data())
    def test_rows_are_never_mixed_up(self, plain: list[int], data: st.DataObject) -> None:
        """Whatever is done to a batch is done to all of its columns."""
        batch = batch_of(plain)
        rows = data.draw(st.lists(st.integers(0, len(plain) - 1)) if plain else st.just([]))
        start, stop = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))

        assert [plain[row] for row in rows] == rows_of(batch.take(rows))
        assert plain[start : max(start, stop)] == rows_of(batch.slice(start, stop))
        whole = concat([batch, batch.take(rows), batch.slice(start, stop)])
        assert whole is not None
        expected = plain + [plain[row] for row in rows] + plain[start : max(start, stop)]
        assert expected == rows_of(whole)
        assert batch.payloads.size_bytes + 64 * len(plain) == batch.size_bytes

    def test_what_changes_nothing_costs_nothing(self) -> None:
        """A whole slice, all rows, and the form it has: the batch itself."""
        batch = batch_of([1, 2])

        assert batch is batch.slice(0, 2) is batch.slice(0, 9) is batch.to("json")
        assert batch is batch.take(range(2))
        assert batch is concat([batch])

    @pytest.mark.parametrize("name", COLUMNS)
    def test_a_column_of_another_length_is_refused(self, name: str) -> None:
        """A batch whose columns do not fit is never made."""
        with pytest.raises(ValueError, match=f"column `{name}` has 3 rows, payloads have 2"):
            Batch.of("T", [1, 2]).replace(**{name: ["x"] * 3})

    def test_columns_have_defaults(self) -> None:
        """A type and payloads are enough."""
        batch = Batch(types="T", payloads=JsonPayloads.of([1, 2]))

        assert [("", {}, SourceInfo(), "", "application/json", "T")] * 2 == list(
            zip(
                batch.ids,
                map(dict, batch.metadata),
                batch.sources,
                batch.trace_ids,
                batch.content_types,
                batch.types,
                strict=True,
            )
        )

    def test_nothing_is_a_batch_too(self) -> None:
        """An empty batch goes through everything."""
        empty = Batch.empty()

        assert 0 == len(empty) == len(empty.take([])) == len(empty.slice(0, 5))
        assert "Batch(0 x nothing, json)" == repr(empty)
        both = concat([empty, Batch.of("T", [1])])
        assert both is not None
        assert ["T"] == list(both.types)

    def test_its_repr_names_types_and_encoding(self) -> None:
        """A batch in a traceback tells what it holds, not all of it."""
        assert "Batch(2 x 1, 2, json)" == repr(batch_of([2, 1]))

    def test_replace_leaves_the_first_as_it_was(self) -> None:
        """A batch never changes: another one is made."""
        batch = Batch.of("T", [1])
        other = batch.replace(types="U", ids=["x"])

        assert (["T"], [""]) == (list(batch.types), list(batch.ids))
        assert (["U"], ["x"]) == (list(other.types), list(other.ids))
        assert other.payloads is batch.payloads

    def test_payloads_that_do_not_mix(self) -> None:
        """`concat` says None rather than turn payloads into another form."""
        sep51 = Batch(types="T", payloads=Sep51Payloads.of([1]))

        assert concat([Batch.of("T", [1]), sep51]) is None
        assert concat([Batch.of("T", [1]), sep51.to("json")]) is not None

    def test_a_form_it_does_not_have(self) -> None:
        """The error says which, and what to do."""
        with pytest.raises(UnsupportedEncoding) as caught:
            Batch.of("T", [1]).to("arrow")
        assert caught.value.hint
