"""Batches cut by bytes, and their answers put together again."""

from __future__ import annotations

from cdp_pipeline.runtimes.deadlines import Deadlines
from cdp_pipeline.runtimes.encodable import joined
from cdp_pipeline.runtimes.grpc.restarts import Deaths, RestartPolicy
from cdp_pipeline.runtimes.grpc.sizes import ENVELOPE_BYTES, cut
from cdpplugin import Batch, JsonPayloads, OutputPart, Outputs, PluginError, UnsupportedEncoding


def sized(*sizes: int) -> Batch:
    """A batch of payloads of so many bytes."""
    return Batch(types="T", payloads=JsonPayloads([b'"' + b"x" * (n - 2) + b'"' for n in sizes]))


class TestCut:
    def test_what_fits_is_one_piece(self) -> None:
        """A batch that fits stays whole."""
        [piece] = cut(sized(100, 100), "json", 100_000).pieces
        assert [0, 1] == list(piece.rows)

    def test_every_row_once_and_in_order(self) -> None:
        """The pieces hold every row once, in order, each within the limit."""
        limit = ENVELOPE_BYTES + 1000
        held = cut(sized(*([300] * 37)), "json", limit)
        assert list(range(37)) == [row for piece in held.pieces for row in piece.rows]
        assert all(len(piece.data) <= limit for piece in held.pieces)
        assert {} == held.errors

    def test_a_row_that_fits_nowhere(self) -> None:
        """A row beyond the limit is an error of its own."""
        held = cut(sized(10, 5000, 10), "json", ENVELOPE_BYTES + 1000)
        assert [0, 2] == [row for piece in held.pieces for row in piece.rows]
        assert ["message.too_large"] == [error.code for error in held.errors.values()]

    def test_a_form_that_none_has(self) -> None:
        """Rows without the form that is asked for are errors, each."""
        held = cut(sized(10, 10), "arrow", 100_000)
        assert 0 == len(held.pieces)
        assert [UnsupportedEncoding] * 2 == [type(error) for error in held.errors.values()]


class TestJoined:
    def test_rows_are_those_of_the_whole(self) -> None:
        """Outputs, errors and drops of pieces are those of the rows of the whole batch."""
        first = Outputs((OutputPart(sized(2), [1]),), {0: PluginError("a")}, {"old": 1})
        second = Outputs((OutputPart(sized(2, 2), [0, 0]),), {1: PluginError("b")}, {"old": 2})
        whole = joined([([0, 1], first), ([3, 4], second)], {2: PluginError("c")})
        assert [[1], [3, 3]] == [list(part.rows) for part in whole.parts]
        assert {0: "a", 2: "c", 4: "b"} == {row: str(e) for row, e in whole.errors.items()}
        assert {"old": 3} == whole.dropped


class TestDeadlines:
    def test_grow_with_the_batch_and_end(self) -> None:
        """A batch may take as long as its messages, up to a bound; one message always its own."""
        deadlines = Deadlines(message_s=2.0, batch_limit_s=100.0)
        assert [2.0, 20.0, 100.0] == [deadlines.batch_s(rows) for rows in (1, 10, 1000)]
        assert 500.0 == Deadlines(message_s=500.0, batch_limit_s=100.0).batch_s(10)


class TestDeaths:
    def test_wait_longer_each_time_and_are_forgotten(self) -> None:
        """Waits double up to a bound; deaths beyond the window do not count."""
        now = 0.0
        policy = RestartPolicy(
            initial_delay_s=1.0, max_delay_s=5.0, max_restarts=3, window_s=60.0, jitter=0.0
        )
        deaths = Deaths(policy, lambda: now)
        waits = []
        for _ in range(4):
            deaths.note()
            waits.append(deaths.delay_s)
        assert [1.0, 2.0, 4.0, 5.0] == waits
        assert deaths.are_too_many
        now = 61.0
        assert not deaths.are_too_many
        assert 0.0 == deaths.delay_s

    def test_wait_a_little_less_by_chance(self) -> None:
        """Plugins that died together do not all start at the same moment."""
        deaths = Deaths(RestartPolicy(initial_delay_s=1.0))
        deaths.note()
        waits = {deaths.delay_s for _ in range(50)}
        assert 10 < len(waits)
        assert 0.8 <= min(waits) <= max(waits) <= 1.0
