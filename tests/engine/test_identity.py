"""Ids are derived, unique, and the same in every run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.engine.identity import SourceIds, output_id, with_ids
from cdp_pipeline.testing import MemoryConsumer, ScriptedProcessor, ScriptedSource
from cdpplugin import Batch, Lazy, OutputPart, Outputs, SourceBatch
from tests.engine.conftest import Bench, Limits, numbers

INPUTS = Batch.of("In", range(4), ids=["i0", "i1", "i2", "i3"])


class TestOutputId:
    def test_it_is_what_it_always_was(self) -> None:
        """The derivation is frozen: rows written by older versions keep their ids."""
        assert "142ed2c2987fdb041f4df222844632f4" == output_id("i0", "stage", "Out", 0)

    @given(st.lists(st.tuples(*[st.text(max_size=4)] * 3, st.integers(0, 3)), unique=True))
    def test_it_tells_every_output_apart(self, keys: list[tuple[str, str, str, int]]) -> None:
        """Two different (input, stage, type, index) have two different ids."""
        plain = [key for key in keys if not any("\x1f" in part for part in key[:3])]
        usable = [key for key in plain if _encodable("".join(key[:3]))]

        assert len(usable) == len({output_id(*key) for key in usable})


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


class TestWithIds:
    def test_an_authors_ids_are_kept(self) -> None:
        """A column without an empty id is left alone, whatever its kind."""
        for ids in (["a", "b"], Lazy(2, lambda: ["a", "b"])):
            batch = Batch.of("Out", [1, 2], ids=ids)
            assert batch is with_ids(batch, [0, 1], INPUTS, "stage")

    def test_only_empty_ids_are_filled(self) -> None:
        """An author may name some outputs and not others."""
        batch = Batch.of("Out", [1, 2, 3], ids=["own", "", ""])
        found = with_ids(batch, [0, 0, 1], INPUTS, "stage").ids

        derived = [output_id("i0", "stage", "Out", 1), output_id("i1", "stage", "Out", 0)]
        assert ["own", *derived] == list(found)

    def test_nothing_is_hashed_until_ids_are_read(self) -> None:
        """A path on which nobody reads ids pays nothing for them."""

        def read() -> list[str]:
            raise AssertionError("nobody asked")

        inputs = Batch.of("In", [1], ids=Lazy(1, read))
        with_ids(Batch.of("Out", [1]), [0], inputs, "stage")

    def test_parts_of_one_answer_share_their_counting(self) -> None:
        """Two parts of one type and input row give different ids, read in any order."""
        first, second = Batch.of("Out", [1, 2]), Batch.of("Out", [3])
        earlier = [(first.types, [0, 1])]
        later = with_ids(second, [1], INPUTS, "stage", earlier).ids
        before = with_ids(first, [0, 1], INPUTS, "stage").ids

        assert [output_id("i1", "stage", "Out", 1)] == list(later)
        assert 3 == len({*later, *before})

    def test_another_type_counts_for_itself(self) -> None:
        """An output's id does not depend on how many of other types came before it."""
        earlier = [(["Other"], [0])]
        found = with_ids(Batch.of("Out", [1]), [0], INPUTS, "stage", earlier).ids

        assert [output_id("i0", "stage", "Out", 0)] == list(found)


class TestInARun:
    @pytest.mark.parametrize("rows", [1, 3, 100])
    async def test_no_two_outputs_share_an_id(self, bench: Bench, rows: int) -> None:
        """Invariant 7: ids are unique and the same however a run cuts its batches."""

        def answer(batch: Batch) -> Outputs:
            twice = [row for row in range(len(batch)) for _ in range(2)]
            every = list(range(len(batch)))
            return Outputs(
                (
                    OutputPart(Batch.of("Out", [0] * len(twice)), twice),
                    OutputPart(Batch.of("Out", [1] * len(every)), every),
                )
            )

        consumer = MemoryConsumer()
        source = ScriptedSource(numbers(1, 10))
        await bench.run(source, ScriptedProcessor(answer), consumer, limits=Limits(rows=rows))
        found = {(position, payload, id_) for position, _, id_, payload in consumer.rows}
        expected = {
            (n, payload, output_id(f"n:{n}", "stage-0", "Out", index))
            for n in range(1, 11)
            for index, payload in enumerate([b"0", b"0", b"1"])
        }

        assert expected == found

    async def test_rows_of_a_source_without_ids_get_some(self, bench: Bench) -> None:
        """What is derived from such rows would otherwise all have one id."""
        consumer = MemoryConsumer()
        batches = [
            SourceBatch(Batch.of("T", [1, 2]), [1, 1], completed_through=0),
            SourceBatch(Batch.of("T", [3, 4], ids=["", "own"]), [1, 2]),
        ]
        fresh = ScriptedProcessor(lambda batch: Batch.of("Out", range(len(batch))))
        tap = MemoryConsumer()
        await bench.run(ScriptedSource(batches), tap, fresh, consumer)

        names = ["source:1", "source:1:1", "source:1:2", "own"]
        assert names == [id_ for _, _, id_, _ in tap.rows]
        derived = [output_id(name, "stage-1", "Out", 0) for name in names]
        assert derived == [id_ for _, _, id_, _ in consumer.rows]

    def test_a_sources_own_ids_are_not_read(self) -> None:
        """A lazy id column is the source's own, and stays unread."""
        batch = Batch.of("T", [1], ids=Lazy(1, lambda: ["x"]))

        assert batch is SourceIds("source").of(batch, [1])
