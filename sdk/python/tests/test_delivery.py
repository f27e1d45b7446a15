"""Positions and marks at the two ends of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import Batch, Constant, Context, Delivery, Lazy, Resume, SourceBatch

Column = Callable[[list[int]], Sequence[int]]

positions = st.lists(st.integers(0, 20)).map(sorted)
kinds = st.sampled_from([list, tuple, lambda rows: Lazy(len(rows), lambda: rows)])


def delivery(at: list[int], column: Column = list) -> Delivery:
    return Delivery(Batch.of("T", at), column(at), at[-1] if at else 0)


class TestAfter:
    @given(positions, st.integers(-1, 21), kinds)
    def test_it_leaves_out_what_lies_at_or_before(
        self, at: list[int], position: int, column: Column
    ) -> None:
        """The rows that stay are exactly those after the position, in order."""
        rest = delivery(at, column).after(position)
        expected = [each for each in at if each > position]

        assert expected == list(rest.positions)
        assert expected == [rest.batch.payloads.value(row) for row in range(len(rest.batch))]
        assert (at[-1] if at else 0) == rest.completed_through

    @given(positions, st.integers(-1, 21), st.integers(-1, 21))
    def test_twice_is_as_once_with_the_larger(self, at: list[int], one: int, two: int) -> None:
        """It does not matter how often a consumer cuts."""
        cut = delivery(at).after(one).after(two)

        assert list(delivery(at).after(max(one, two)).positions) == list(cut.positions)

    def test_nothing_to_leave_out_changes_nothing(self) -> None:
        """The usual case costs nothing."""
        whole = delivery([1, 2])

        assert whole is whole.after(0)

    def test_rows_of_one_position_stay_together(self) -> None:
        """A constant column of positions is cut as a whole."""
        whole = Delivery(Batch.of("T", [1, 2]), Constant(5, 2), 5)

        assert [2, 0] == [len(whole.after(4).batch), len(whole.after(5).batch)]


class TestSourceBatch:
    def test_the_mark_is_the_last_position_unless_said(self) -> None:
        """A source that splits a position over batches says what is complete."""
        rows = Batch.of("T", [1, 2])

        assert 7 == SourceBatch(rows, [3, 7]).mark
        assert 6 == SourceBatch(rows, [3, 7], completed_through=6).mark
        assert 0 == SourceBatch(rows, [3, 7], completed_through=0).mark

    def test_an_empty_batch_may_carry_a_mark_or_none(self) -> None:
        """A source may say that it has come further without a row."""
        assert SourceBatch(Batch.empty(), ()).mark is None
        assert 9 == SourceBatch(Batch.empty(), (), completed_through=9).mark


def test_what_a_plugin_is_told_has_defaults() -> None:
    """A unit test of a plugin need not fill in what it does not use."""
    assert Context() == Context("", "", "", {})
    assert Resume(3) == Resume(3, b"")
