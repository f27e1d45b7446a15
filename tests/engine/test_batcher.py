"""What crosses an edge is cut and put together without losing, mixing up or promising too much."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.engine.batcher import Batcher, BatchLimits, cut
from cdp_pipeline.engine.parcel import Edge, Outlet, Parcel, Part, merge
from cdpplugin import Batch, Constant, JsonPayloads, Sep51Payloads

Row = tuple[int, str, str]
"""Position, type, payload encoding; its number within the stream is the row's payload."""


def part_of(rows: Sequence[tuple[Row, int]]) -> Part:
    """A part of rows of one encoding, each with its number as the payload."""
    payloads = [b"%d" % number for _, number in rows]
    encoding = rows[0][0][2]
    column = JsonPayloads(payloads) if encoding == "json" else Sep51Payloads(payloads)
    types = [kind for (_, kind, _), _ in rows]
    one_type = len(set(types)) == 1
    return Part(
        Batch(types=types[0] if one_type else types, payloads=column),
        [position for (position, _, _), _ in rows],
    )


@st.composite
def streams(draw: st.DrawFn) -> list[Parcel]:
    """Parcels as a stage gives them: each type by position, true marks, parts cut anyhow."""
    positions = sorted(draw(st.lists(st.integers(0, 12), max_size=30)))
    kinds, encodings = st.sampled_from("AB"), st.sampled_from(["json", "sep51"])
    rows = [((position, draw(kinds), draw(encodings)), n) for n, position in enumerate(positions)]
    parcels = []
    while rows:
        size = draw(st.integers(1, len(rows)))
        held, rows = rows[:size], rows[size:]
        if draw(st.booleans()):  # a processor that answers with one part a type
            held.sort(key=lambda row: row[0][1])
        parts = [part_of(list(run)) for _, run in groupby(held, lambda row: row[0][1:])]
        last = max(position for (position, _, _), _ in held)
        parcels.append(Parcel(parts, min(last, rows[0][0][0] - 1) if rows else last))
        if draw(st.booleans()):
            parcels.append(Parcel([], parcels[-1].completed_through))
    return parcels


def rows_of(parcels: Sequence[Parcel]) -> list[tuple[str, int, int]]:
    """(type, position, number) of every row, in order."""
    return [
        (kind, position, int(payload))
        for parcel in parcels
        for part in parcel.parts
        for kind, position, payload in zip(
            part.batch.types, part.positions, part.batch.payloads.json(), strict=True
        )
    ]


async def batched(parcels: Sequence[Parcel], limits: BatchLimits, capacity: int) -> list[Parcel]:
    edge = Edge(capacity)

    async def feed() -> None:
        for parcel in parcels:
            await edge.put(parcel)
        await edge.put(None)

    feeding = asyncio.create_task(feed())
    found = [parcel async for parcel in Batcher(edge, limits).parcels()]
    await feeding
    return found


limits = st.builds(
    BatchLimits,
    rows=st.integers(1, 8),
    size_bytes=st.integers(1, 600),
    linger_s=st.sampled_from([0.0, 0.0005]),
)


class TestBatcher:
    @given(streams(), limits, st.integers(1, 8))
    def test_nothing_is_lost_and_nothing_doubled(
        self, parcels: list[Parcel], limits: BatchLimits, capacity: int
    ) -> None:
        """Whatever the limits and cuts, the same rows come out."""
        found = asyncio.run(batched(parcels, limits, capacity))

        assert sorted(rows_of(parcels)) == sorted(rows_of(found))

    @given(streams(), limits, st.integers(1, 8))
    def test_order_is_kept_per_type_and_position(
        self, parcels: list[Parcel], limits: BatchLimits, capacity: int
    ) -> None:
        """The rows of one type come out in the order in which they went in."""
        found = asyncio.run(batched(parcels, limits, capacity))

        for kind in "AB":
            before = [row for row in rows_of(parcels) if row[0] == kind]
            assert before == [row for row in rows_of(found) if row[0] == kind]

    @given(streams(), limits, st.integers(1, 8))
    def test_marks_never_decrease_and_promise_nothing_still_to_come(
        self, parcels: list[Parcel], limits: BatchLimits, capacity: int
    ) -> None:
        """Invariant 3: a mark is sent only after, or with, every row at or before it."""
        found = asyncio.run(batched(parcels, limits, capacity))
        marks = [parcel.completed_through for parcel in found]

        assert sorted(marks) == marks
        for index, mark in enumerate(marks):
            later = [position for _, position, _ in rows_of(found[index + 1 :])]
            assert all(position > mark for position in later)
        if parcels:
            assert parcels[-1].completed_through == marks[-1]

    @given(streams(), limits, st.integers(1, 8))
    def test_positions_never_decrease_within_a_part(
        self, parcels: list[Parcel], limits: BatchLimits, capacity: int
    ) -> None:
        """A consumer finds the rows after a position by bisection (`Delivery.after`)."""
        found = asyncio.run(batched(parcels, limits, capacity))

        for parcel in found:
            for part in parcel.parts:
                assert sorted(part.positions) == list(part.positions)

    @given(streams(), limits, st.integers(1, 8))
    def test_limits_hold_for_every_batch(
        self, parcels: list[Parcel], limits: BatchLimits, capacity: int
    ) -> None:
        """No batch is larger than a limit, unless a single row is."""
        found = asyncio.run(batched(parcels, limits, capacity))

        for parcel in found:
            for part in parcel.parts:
                assert 0 < len(part.batch) <= limits.rows
                assert len(part.batch) == 1 or part.batch.size_bytes <= limits.size_bytes

    async def test_a_batch_that_is_not_full_waits_no_longer_than_its_linger(self) -> None:
        """With a linger, what came goes on although the stream stays open."""
        edge = Edge(4)
        await edge.put(Parcel([part_of([((1, "A", "json"), 1)])], 1))
        found = Batcher(edge, BatchLimits(linger_s=0.001)).parcels()

        async with asyncio.timeout(10):
            assert [("A", 1, 1)] == rows_of([await anext(found)])
        await found.aclose()  # type: ignore[attr-defined]

    async def test_a_linger_gathers_what_comes_meanwhile(self) -> None:
        """A full batch goes at once, however long its linger is."""
        edge = Edge(1)
        parcels = [Parcel([part_of([((n, "A", "json"), n)])], n) for n in range(4)]

        async with asyncio.timeout(10):
            found = await batched(parcels, BatchLimits(rows=2, linger_s=3600), 1)
        assert [2, 2] == [parcel.rows for parcel in found]
        assert edge.empty


class TestCut:
    def test_a_few_large_rows_do_not_make_a_large_batch(self) -> None:
        """Pieces keep to the limit also where rows differ much in size."""
        payloads = [b"x" * 1000] * 8 + [b"1"] * 92
        part = Part(Batch(types="A", payloads=JsonPayloads(payloads)), range(100))
        pieces = list(cut(part, BatchLimits(size_bytes=3000)))

        assert all(piece.batch.size_bytes <= 3000 for piece in pieces)
        assert list(range(100)) == [p for piece in pieces for p in piece.positions]

    def test_a_row_larger_than_the_limit_goes_alone(self) -> None:
        """A single row is never refused for its size."""
        part = Part(Batch.of("A", ["x" * 99, 1, "x" * 99]), range(3))

        assert [1, 1, 1] == [len(p.batch) for p in cut(part, BatchLimits(size_bytes=10))]


class TestMerge:
    def test_parts_of_two_types_are_put_in_order_of_position(self) -> None:
        """JSON parts of one parcel, one a type, become one part whose positions do not fall."""
        a = Part(Batch.of("A", [1, 2]), [1, 5])
        b = Part(Batch.of("B", [3, 4]), [2, 5])
        [merged] = merge([a, b])

        assert [1, 2, 5, 5] == list(merged.positions)
        assert ["A", "B", "A", "B"] == list(merged.batch.types)

    def test_a_type_with_two_backings_keeps_its_order(self) -> None:
        """A part never overtakes one of its own type, whatever its backing."""
        parts = [
            part_of([((position, "A", encoding), position)])
            for position, encoding in enumerate(["json", "sep51", "json", "json"])
        ]
        merged = merge(parts)

        assert [1, 1, 2] == [len(part.batch) for part in merged]
        assert [0, 1, 2, 3] == [p for part in merged for p in part.positions]

    def test_other_types_in_between_do_not_keep_parts_apart(self) -> None:
        """Typed rows and plain JSON that take turns are still written in bulk."""
        parts = [
            part_of([((position, kind, encoding), position)])
            for position, (kind, encoding) in enumerate([("A", "json"), ("B", "sep51")] * 3)
        ]

        assert [3, 3] == [len(part.batch) for part in merge(parts)]


class TestEdge:
    async def test_every_edge_of_an_outlet_gets_each_parcel(self) -> None:
        """A tap sees what the next stage sees."""
        outlet = Outlet()
        edges = [outlet.connect(2), outlet.connect(2)]
        await outlet.put(Parcel([], 1))

        assert [Parcel([], 1), Parcel([], 1)] == [await edge.get() for edge in edges]

    async def test_an_edge_that_has_ended_stays_ended(self) -> None:
        """After its end an edge gives the end again and again, and waits for nothing."""
        edge = Edge(1)
        await edge.put(None)

        assert [None, None] == [await edge.get(), await edge.get()]

    async def test_a_full_edge_makes_its_writer_wait(self) -> None:
        """Back-pressure: no more than its capacity ever waits in an edge."""
        edge = Edge(1)
        await edge.put(Parcel([], 1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await edge.put(Parcel([], 2))
        assert Parcel([], 1) == await edge.get()


def test_types_of_one_kind_stay_constant() -> None:
    """Merging parts of one type keeps the type column constant."""
    [merged] = merge([Part(Batch.of("A", [n]), [n]) for n in range(3)])

    assert isinstance(merged.batch.types, Constant)
