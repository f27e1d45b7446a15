"""Outputs name the rows they derive from; what an author returned is taken down at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdpplugin import (
    Batch,
    JsonPayloads,
    Lazy,
    Message,
    OutputCollector,
    OutputPart,
    Outputs,
    PayloadInvalid,
    PluginError,
    Sep51Payloads,
    SourceInfo,
    view,
    views,
)
from cdpplugin.backing import RawPayloads

from .scalar import Array, Scalar


def batch() -> Batch:
    return Batch.of(
        "T",
        [{"n": 0}, {"n": 1}, {"n": 2}],
        ids=["a", "b", "c"],
        metadata=[{"m": 0}, {"m": 1}, {"m": 2}],
        sources=[SourceInfo(name) for name in "abc"],
    )


def only(collector: OutputCollector) -> OutputPart:
    [part] = collector.outputs().parts
    return part


def rows_of(part: OutputPart) -> list[tuple[int, str, Any, dict[str, Any]]]:
    """(input row, id, payload, metadata) of every output."""
    held = part.batch
    payloads = [held.payloads.value(row) for row in range(len(held))]
    return list(zip(part.rows, held.ids, payloads, map(dict, held.metadata), strict=True))


class TestWithin:
    @given(
        st.lists(st.integers(0, 9), max_size=12).map(sorted),
        st.integers(0, 10),
        st.integers(0, 10),
        st.booleans(),
    )
    def test_it_gives_the_outputs_of_some_rows(
        self, rows: list[int], start: int, stop: int, lazy: bool
    ) -> None:
        """Exactly the outputs that derive from rows in the range, in order."""
        ids = [f"{n}" for n in range(len(rows))]
        column = Lazy(len(rows), lambda: ids) if lazy else ids
        part = OutputPart(Batch.of("T", rows, ids=column), rows)
        expected = [(row, id_) for row, id_ in zip(rows, ids, strict=True) if start <= row < stop]
        found = part.within(start, max(start, stop))

        if not expected:
            assert found is None
        else:
            assert found is not None
            assert expected == [(row, id_) for row, id_, *_ in rows_of(found)]

    @given(st.lists(st.integers(0, 9), max_size=12).map(sorted), st.integers(0, 10))
    def test_two_halves_make_the_whole(self, rows: list[int], middle: int) -> None:
        """Cutting at any row loses nothing."""
        part = OutputPart(Batch.of("T", rows), rows)
        halves = [part.within(0, middle), part.within(middle, 10)]

        assert rows == [row for half in halves if half is not None for row in half.rows]


class TestEach:
    def test_one_output_an_input_row(self) -> None:
        """A batch as an answer is an answer row for row."""
        held = batch()
        [part] = Outputs.each(held).parts

        assert held is part.batch
        assert [0, 1, 2] == list(part.rows)

    def test_nothing_is_no_part(self) -> None:
        """An empty batch has an empty answer."""
        assert Outputs() == Outputs.each(Batch.empty())


class TestPassing:
    def test_messages_that_pass_as_they_came_cost_nothing(self) -> None:
        """All of them: the very same batch."""
        held = batch()
        collector = OutputCollector(held)
        for row, message in enumerate(views(held)):
            collector.add_result(row, message)

        assert held is only(collector).batch

    def test_some_of_them(self) -> None:
        """A filter's answer keeps the columns of what passed."""
        held = batch()
        collector = OutputCollector(held)
        for row in (0, 2):
            collector.add_result(row, view(held, row))

        assert [(0, "a", {"n": 0}, {"m": 0}), (2, "c", {"n": 2}, {"m": 2})] == rows_of(
            only(collector)
        )

    def test_a_row_may_pass_several_times(self) -> None:
        """Also where only one of its copies was changed."""
        held = batch()
        collector = OutputCollector(held)
        changed = view(held, 1)
        changed.payload["n"] = 9
        collector.add_result(1, [view(held, 1), changed, view(held, 1)])

        assert [1, 9, 1] == [payload["n"] for _, _, payload, _ in rows_of(only(collector))]

    def test_a_message_of_another_row_keeps_its_own_contents(self) -> None:
        """A stateful function that returns an earlier message gives that one, not the present."""
        held = batch()
        collector = OutputCollector(held)
        collector.add_result(2, [view(held, 0), view(held, 2)])

        assert [(2, "a", {"n": 0}, {"m": 0}), (2, "c", {"n": 2}, {"m": 2})] == rows_of(
            only(collector)
        )

    def test_a_message_of_an_earlier_batch_keeps_its_own_contents(self) -> None:
        """So does one that was held back since an earlier batch."""
        earlier = view(batch(), 1)
        collector = OutputCollector(Batch.of("U", [7], ids=["z"]))
        collector.add_result(0, [earlier])

        assert [(0, "b", {"n": 1}, {"m": 1})] == rows_of(only(collector))
        assert ["T"] == list(only(collector).batch.types)

    @pytest.mark.parametrize(
        "payloads",
        [
            Sep51Payloads([b'{"a":1}', b'{"a":2}']),
            RawPayloads([b"\x00\x01", b"\x02"]),
        ],
        ids=lambda payloads: payloads.encoding,
    )
    def test_a_payload_that_was_only_read_keeps_its_form(self, payloads: Any) -> None:
        """A filter that looks into raw or typed rows passes them on raw and typed."""
        held = Batch(types="T", payloads=payloads)
        collector = OutputCollector(held)
        for row, message in enumerate(views(held)):
            assert message.payload
            collector.add_result(row, message)
        part = only(collector)

        assert type(payloads) is type(part.batch.payloads)
        assert list(payloads.wire_rows()) == list(part.batch.payloads.wire_rows())

    def test_a_payload_that_was_changed_becomes_json(self) -> None:
        """Together with its neighbours: one part has one form."""
        held = Batch(types="T", payloads=Sep51Payloads([b'{"a":1}', b'{"a":2}']))
        collector = OutputCollector(held)
        for row, message in enumerate(views(held)):
            message.payload["a"] *= 10 if row else 1
            collector.add_result(row, message)

        assert "json" == only(collector).batch.payloads.encoding
        assert [b'{"a":1}', b'{"a":20}'] == list(only(collector).batch.payloads.json())


class TestChanging:
    def test_only_what_was_changed_differs(self) -> None:
        """Every attribute of every row is its own."""
        held = batch()
        collector = OutputCollector(held)
        for row, message in enumerate(views(held)):
            if row == 0:
                message.metadata["seen"] = True
            elif row == 1:
                message.id = "new"
            collector.add_result(row, message)

        expected = [
            (0, "a", {"n": 0}, {"m": 0, "seen": True}),
            (1, "new", {"n": 1}, {"m": 1}),
            (2, "c", {"n": 2}, {"m": 2}),
        ]
        assert expected == rows_of(only(collector))
        assert [SourceInfo(name) for name in "abc"] == list(only(collector).batch.sources)

    def test_new_and_passing_messages_may_be_mixed(self) -> None:
        """A row's answer may hold the message itself and others besides."""
        held = batch()
        collector = OutputCollector(held)
        collector.add_result(0, [view(held, 0), Message(id="x", type="U", payload=[1])])
        collector.add_result(1, view(held, 1))

        part = only(collector)
        assert [(0, "a", {"n": 0}, {"m": 0}), (0, "x", [1], {}), (1, "b", {"n": 1}, {"m": 1})] == (
            rows_of(part)
        )
        assert ["T", "U", "T"] == list(part.batch.types)

    def test_an_author_may_go_on_changing_what_was_returned(self) -> None:
        """Every output is what it was when it was returned."""
        held = batch()
        collector = OutputCollector(held)
        own, new = view(held, 0), Message()
        for n in range(2):
            own.payload["n"], own.metadata["deep"] = n, [n]
            new.id, new.type, new.payload, new.metadata["n"] = f"id{n}", f"T{n}", [n], n
            collector.add_result(0, [own, new])
        own.metadata["deep"].append("late")
        own.payload["late"] = new.metadata["late"] = True

        assert [
            (0, "a", {"n": 0}, {"m": 0, "deep": [0]}),
            (0, "id0", [0], {"n": 0}),
            (0, "a", {"n": 1}, {"m": 0, "deep": [1]}),
            (0, "id1", [1], {"n": 1}),
        ] == rows_of(only(collector))
        assert ["T", "T0", "T", "T1"] == list(only(collector).batch.types)

    def test_a_generator_may_use_one_message_over_and_over(self) -> None:
        """Each time it is yielded counts."""
        held = batch()
        collector = OutputCollector(held)

        def repeat() -> Any:
            message = view(held, 0)
            for n in range(3):
                message.id = f"{n}"
                yield message

        collector.add_result(0, repeat())

        assert ["0", "1", "2"] == list(only(collector).batch.ids)

    def test_numerical_scalars_become_plain_values(self) -> None:
        """What a model returns may stand in payload and metadata, however deep."""
        held = batch()
        message = view(held, 0)
        message.payload["score"] = Scalar(0.25)
        message.metadata |= {"score": Scalar(0.25), "sure": Scalar(True), "all": [Array([1])]}
        collector = OutputCollector(held)
        collector.add_result(0, message)

        [(_, _, payload, metadata)] = rows_of(only(collector))
        assert {"n": 0, "score": 0.25} == payload
        assert {"m": 0, "score": 0.25, "sure": True, "all": [[1]]} == metadata
        assert metadata["sure"] is True


class TestRefused:
    @pytest.mark.parametrize("result", [1, "text", {"id": "x"}, object(), [1], [None], b"x", 0.0])
    def test_what_is_no_message_is_an_error(self, result: Any) -> None:
        """The error says what may be returned."""
        collector = OutputCollector(batch())
        with pytest.raises(PluginError) as caught:
            collector.add_result(0, result)

        assert "plugin.output_invalid" == caught.value.code
        assert "expected a Message" in caught.value.message
        assert Outputs() == collector.outputs()

    @pytest.mark.parametrize(
        "change",
        [{"payload": object()}, {"metadata": {"x": object()}}, {"metadata": None}],
        ids=["payload", "metadata value", "metadata"],
    )
    def test_what_json_has_no_form_for_fails_its_row_only(self, change: dict[str, Any]) -> None:
        """Here, and not in a consumer far behind; nothing of the row stays."""
        held = batch()
        collector = OutputCollector(held)
        collector.add_result(0, view(held, 0))
        bad = view(held, 1)
        for name, value in change.items():
            setattr(bad, name, value)
        with pytest.raises(PayloadInvalid):
            collector.add_result(1, [Message(id="good", type="T"), bad])
        collector.add_result(2, view(held, 2))

        assert [0, 2] == [row for row, *_ in rows_of(only(collector))]
        assert ["a", "c"] == list(only(collector).batch.ids)

    @pytest.mark.parametrize("change", [{"id": 5}, {"type": None}, {"source": "galexie"}], ids=repr)
    def test_attributes_have_their_kinds(self, change: dict[str, Any]) -> None:
        """An id that is a number would be another one behind a wire."""
        collector = OutputCollector(batch())
        collector.add_result(0, Message(**change))
        with pytest.raises(PluginError) as caught:
            collector.outputs()

        assert "plugin.output_invalid" == caught.value.code
        assert f"`{next(iter(change))}`" in caught.value.message


class TestGathered:
    def test_errors_and_drops_are_kept_by_row_and_reason(self) -> None:
        """A row with an error has no outputs; drops are counted."""
        collector, error = OutputCollector(batch()), PluginError("no")
        collector.fail(1, error)
        collector.drop("small")
        collector.drop("small")

        assert Outputs((), {1: error}, {"small": 2}) == collector.outputs()

    def test_what_was_gathered_does_not_change(self) -> None:
        """Outputs that were asked for before stay as they were."""
        held = batch()
        collector = OutputCollector(held)
        collector.add_result(0, view(held, 0))
        before = collector.outputs()
        collector.add_result(1, view(held, 1))
        collector.fail(2, PluginError("no"))

        assert [[0]] == [list(part.rows) for part in before.parts]
        assert {} == before.errors
        assert [[0, 1]] == [list(part.rows) for part in collector.outputs().parts]

    def test_new_payloads_are_json(self) -> None:
        """Messages made from nothing give a JSON column."""
        collector = OutputCollector(Batch.of("T", [1]))
        collector.add_result(0, Message(type="U", payload={"x": 1}))

        assert isinstance(only(collector).batch.payloads, JsonPayloads)
        assert [""] == list(only(collector).batch.ids)
