"""Messages as JSON text: everything arrives as it was, what is left out is the input's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipeline.runtimes.wasm.answer import Answer, Status
from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid
from cdp_pipeline.runtimes.wasm.texts import Collector, text_of_many, texts_of
from cdpplugin import Batch, Outputs, SourceInfo
from cdpplugin.payloads import JsonPayloads

PAYLOADS = [b'{"amount":12345678901234567890123,"rate":1.10}', b"null", '"é\\u0000"'.encode()]


def sample() -> Batch:
    return Batch(
        ids=["a:1", "", 'quo"te'],
        types=["Payment", "é", ""],
        payloads=JsonPayloads(PAYLOADS),
        metadata=[{"n": 2**70}, {}, {"deep": [None, {"x": 1.5}]}],
        sources=SourceInfo("galexie", "pubnet", "s3://x"),
        trace_ids=["t", "", ""],
        content_types="application/json",
    )


def answered(text: bytes, batch: Batch | None = None) -> Outputs:
    collector = Collector(batch or sample().slice(0, 1))
    collector.take(0, Answer(Status.OK, text))
    return collector.outputs()


def rows(outputs: Outputs) -> list[tuple[Any, ...]]:
    batch = outputs.parts[0].batch
    columns = (
        batch.ids,
        batch.types,
        batch.payloads.json(),
        [dict(each) for each in batch.metadata],
        batch.sources,
        batch.trace_ids,
        batch.content_types,
    )
    return list(zip(*columns, strict=True))


class TestGoing:
    def test_all_members_are_there(self) -> None:
        """Each message is an object with all its members."""
        found = [json.loads(text) for text in texts_of(sample())]
        assert {
            "id": "a:1",
            "type": "Payment",
            "payload": {"amount": 12345678901234567890123, "rate": 1.1},
            "metadata": {"n": 2**70},
            "source": {"name": "galexie", "network": "pubnet", "uri": "s3://x"},
            "trace_id": "t",
            "content_type": "application/json",
        } == found[0]
        assert ["", 'quo"te'] == [found[1]["id"], found[2]["id"]]

    def test_payloads_are_not_rewritten(self) -> None:
        """A payload's text crosses byte for byte."""
        for payload, text in zip(PAYLOADS, texts_of(sample()), strict=True):
            assert b'"payload":' + payload + b"," in text

    def test_many_are_one_array(self) -> None:
        """All messages together are a JSON array of the same objects."""
        texts = [json.loads(text) for text in texts_of(sample())]
        assert texts == json.loads(text_of_many(sample()))

    @settings(deadline=None, max_examples=50)
    @given(st.text(), st.text(), st.text(), st.text())
    def test_any_text(self, identity: str, kind: str, trace: str, uri: str) -> None:
        """Attributes may hold any text."""
        batch = Batch(
            ids=[identity],
            types=[kind],
            payloads=JsonPayloads([b"1"]),
            sources=SourceInfo(uri=uri),
            trace_ids=[trace],
        )
        try:
            found = json.loads(next(texts_of(batch)))
        except UnicodeEncodeError:  # a lone surrogate is no text
            return
        told = (found["id"], found["type"], found["trace_id"], found["source"]["uri"])
        assert (identity, kind, trace, uri) == told


class TestComing:
    @pytest.mark.parametrize("text", [b"", b"null", b" null ", b"[]"])
    def test_nothing(self, text: bytes) -> None:
        """No bytes, `null` and an empty array are no output."""
        assert ((), {}, {}) == _plain(answered(text))

    def test_an_echo(self) -> None:
        """What was sent and comes back is the same in every attribute."""
        batch = sample()
        for row, text in enumerate(texts_of(batch)):
            single = batch.slice(row, row + 1)
            assert rows(answered(text, single)) == [
                (
                    batch.ids[row],
                    batch.types[row],
                    PAYLOADS[row],
                    dict(batch.metadata[row]),
                    batch.sources[row],
                    batch.trace_ids[row],
                    "application/json",
                )
            ]

    def test_what_is_left_out_is_the_inputs(self) -> None:
        """An output that gives only a payload keeps everything else, but for the id."""
        [row] = rows(answered(b'{"payload":{"x":1.10},"unknown":[]}'))
        source = SourceInfo("galexie", "pubnet", "s3://x")
        media = "application/json"
        assert ("", "Payment", b'{"x":1.10}', {"n": 2**70}, source, "t", media) == row

    def test_a_payload_left_out(self) -> None:
        """An output without a payload has the input's; `null` is a payload."""
        assert PAYLOADS[0] == rows(answered(b'{"type":"Other"}'))[0][2]
        assert b"null" == rows(answered(b'{"payload":null}'))[0][2]

    def test_several(self) -> None:
        """An array gives several outputs of one row, in order."""
        outputs = answered(b'[{"id":"x","payload":1},{"id":"y","payload":2}]')
        assert ["x", "y"] == [row[0] for row in rows(outputs)]
        assert [0, 0] == list(outputs.parts[0].rows)

    def test_answers_to_many(self) -> None:
        """An array of answers is taken row by row: outputs, errors with instruction, drops."""
        collector = Collector(sample())
        collector.take_many(
            b'[{"outputs":[{"payload":1}]},{"error":{"instruction":"retry","message":"m",'
            b'"code":"c.d"}},{"dropped":"small"}]'
        )
        outputs = collector.outputs()
        assert [0] == list(outputs.parts[0].rows)
        error = outputs.errors[1]
        assert ("Retry", "m", "c.d") == (type(error).__name__, error.message, error.code)
        assert {"small": 1} == outputs.dropped

    @pytest.mark.parametrize("text", [b"", b"{}", b"[{}]", b"[1,2,3]", b"[{},{},{},{}]", b"\xff"])
    def test_answers_that_do_not_fit(self, text: bytes) -> None:
        """Another number of answers than of messages, or no answers, is refused as a whole."""
        with pytest.raises(AnswerInvalid):
            Collector(sample()).take_many(text)


def _plain(outputs: Outputs) -> tuple[Any, ...]:
    return tuple(outputs.parts), dict(outputs.errors), dict(outputs.dropped)
