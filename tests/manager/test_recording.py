"""What a recording keeps, and what it leaves alone."""

from __future__ import annotations

from typing import Any

from cdp_pipeline.manager.recording import Recording
from cdpplugin import Batch, Drop, OutputPart, Outputs, PluginError, Retry


def batch(*payloads: Any) -> Batch:
    return Batch.of("Number", payloads, ids=[str(n) for n in range(len(payloads))])


def test_rows_and_their_outputs() -> None:
    """Each row has its own outputs, in order; a drop has none, an error its code."""
    recording = Recording(10)
    parts = [OutputPart(batch("a", "b"), [0, 3]), OutputPart(batch("c"), [0])]
    errors = {1: PluginError("no", code="row.bad"), 2: Drop("so")}
    recording.answered(batch(0, 1, 2, 3), Outputs(parts, errors))
    told = [([o.payload for o in case.outputs], case.code) for case in recording.cases]
    assert [(['"a"', '"c"'], ""), ([], "row.bad"), ([], ""), (['"b"'], "")] == told


def test_what_comes_again() -> None:
    """A row that asks for a retry is not noted: it comes again; nor a whole batch that failed."""
    recording = Recording(10)
    recording.answered(batch(0, 1), Outputs.each(batch(0, 1)))
    recording.answered(batch(2), Outputs(errors={0: Retry("later")}))
    recording.failed(batch(3), Retry("later"))
    recording.failed(batch(4, 5), PluginError("no"))
    recording.failed(batch(6), PluginError("no", code="row.bad"))
    assert ["0", "1", "6"] == [case.given.payload for case in recording.cases]
    assert "row.bad" == recording.cases[-1].code


def test_bounds() -> None:
    """It ends at so many messages or bytes; later answers are not even looked at."""
    recording = Recording(2)
    recording.answered(batch(0, 1, 2), Outputs.each(batch(0, 1, 2)))
    assert (2, True) == (len(recording.cases), recording.done.is_set())
    recording.accepted(batch(3))
    assert 2 == len(recording.cases)
    small = Recording(100, size_bytes=1000)
    small.accepted(batch(*["x" * 400] * 50))
    assert (2, True) == (len(small.cases), small.done.is_set())
