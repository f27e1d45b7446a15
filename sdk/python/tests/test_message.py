"""A message is a view: read on first use, the author's own to change."""

from __future__ import annotations

import copy

import pytest

from cdpplugin import Batch, JsonPayloads, Message, PayloadInvalid, SourceInfo, view, views

ATTRIBUTES = ("id", "type", "payload", "metadata", "source", "trace_id", "content_type")


def batch() -> Batch:
    return Batch.of(
        "T",
        [{"n": 0}, {"n": 1}],
        ids=["a", "b"],
        metadata=[{"tags": ["x"]}, {}],
        sources=SourceInfo("galexie"),
        trace_ids=["t0", "t1"],
    )


class TestNew:
    def test_every_attribute_has_a_default(self) -> None:
        """A message of nothing is a message."""
        message = Message()

        assert ["", "", None, {}, SourceInfo(), "", "application/json"] == [
            getattr(message, name) for name in ATTRIBUTES
        ]

    def test_it_takes_what_it_is_given(self) -> None:
        """By name, or by position in the order of the documentation."""
        given = ("i", "T", [1], {"a": 1}, SourceInfo("s"), "t", "text/plain")

        assert Message(*given) == Message(**dict(zip(ATTRIBUTES, given, strict=True)))
        assert list(given) == [getattr(Message(*given), name) for name in ATTRIBUTES]

    def test_two_new_messages_share_nothing(self) -> None:
        """Metadata given to one is not the other's."""
        held = {"a": 1}
        one, other, none = Message(metadata=held), Message(metadata=held), Message()
        one.metadata["b"] = 2
        none.metadata["c"] = 3

        assert {"a": 1} == other.metadata == held
        assert {} == Message().metadata

    def test_a_trace_id_in_the_metadata_is_taken(self) -> None:
        """Where a trace id travels as metadata, it is the message's."""
        assert "t" == Message(metadata={"trace_id": "t"}).trace_id
        assert "own" == Message(metadata={"trace_id": "t"}, trace_id="own").trace_id

    def test_an_unknown_attribute_is_an_error(self) -> None:
        """A misspelt name is not None."""
        for message in (Message(), view(batch(), 0)):
            with pytest.raises(AttributeError, match="playload"):
                message.playload  # type: ignore[attr-defined]  # noqa: B018


class TestView:
    def test_every_attribute_is_read_from_its_row(self) -> None:
        """A view shows its row, and nothing is read before it is asked for."""
        message = view(batch(), 1)
        assert {} == vars(message)
        assert ["b", "T", {"n": 1}, {}, SourceInfo("galexie"), "t1", "application/json"] == [
            getattr(message, name) for name in ATTRIBUTES
        ]

    def test_views_come_in_order(self) -> None:
        """One for each row."""
        assert ["a", "b"] == [message.id for message in views(batch())]
        assert [] == list(views(Batch.empty()))

    def test_what_is_read_is_the_readers_own(self) -> None:
        """Changing payload and metadata, however deep, leaves the batch as it was."""
        held = batch()
        message = view(held, 0)
        message.payload["n"] = 9
        message.metadata["tags"].append("y")
        message.metadata["new"] = True

        fresh = view(held, 0)
        assert ({"n": 0}, {"tags": ["x"]}) == (fresh.payload, fresh.metadata)
        assert ({"n": 9}, {"tags": ["x", "y"], "new": True}) == (message.payload, message.metadata)

    def test_an_attribute_is_read_once(self) -> None:
        """Reading twice gives the same object."""
        message = view(batch(), 0)

        assert message.payload is message.payload
        assert message.metadata is message.metadata

    def test_what_is_set_is_what_is_read(self) -> None:
        """Without reading the row first."""
        message = view(batch(), 0)
        for name in ATTRIBUTES:
            setattr(message, name, "new")

        assert ["new"] * 7 == [getattr(message, name) for name in ATTRIBUTES]

    def test_a_torn_payload_is_an_error_of_its_reader(self) -> None:
        """Only who reads the payload meets it."""
        message = view(Batch(types="T", payloads=JsonPayloads([b"{torn"])), 0)

        assert "T" == message.type
        with pytest.raises(PayloadInvalid):
            message.payload  # noqa: B018


class TestCompared:
    def test_messages_of_equal_contents_are_equal(self) -> None:
        """A view equals a new message that says the same."""
        new = Message("b", "T", {"n": 1}, {}, SourceInfo("galexie"), "t1")

        assert new == view(batch(), 1)
        assert new != view(batch(), 0)
        assert new != "b"

    @pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
    def test_copies_are_equal(self, make: object) -> None:
        """A copy of a message, read or not, is that message."""
        assert callable(make)
        for message in (Message("i", "T", {"a": [1]}), view(batch(), 0)):
            assert message == make(message)

    def test_its_repr_shows_it(self) -> None:
        """A message in a traceback can be recognized."""
        assert "Message(id='b', type='T', payload={'n': 1})" == repr(view(batch(), 1))

    def test_it_cannot_be_a_key(self) -> None:
        """What may change is no dictionary key."""
        with pytest.raises(TypeError):
            hash(Message())
