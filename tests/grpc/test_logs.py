"""What a plugin prints, as log lines."""

from __future__ import annotations

import pytest

from cdp_pipeline.runtimes.processes.logs import (
    BURST_LINES,
    DUMP_LINES,
    KEPT_LINES,
    LINE_LIMIT_BYTES,
    LINES_PER_S,
    LogLines,
)
from tests.grpc.conftest import Lines


class Clock:
    """Time as a value."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def lines_of(*chunks: bytes) -> list[tuple[str, str, dict[str, object]]]:
    log = Lines()
    lines = LogLines(log, Clock())
    for chunk in chunks:
        lines.feed("stdout", chunk)
    lines.close()
    return log.lines


class TestLines:
    def test_plain(self) -> None:
        """A line is a message of level info, also the last one without an end."""
        expected = [("info", text, {"stream": "stdout"}) for text in ("one", "two", "three")]
        assert expected == lines_of(b"one\r\ntwo\n\nthree")

    def test_in_pieces(self) -> None:
        """A line may come in pieces."""
        assert ["hello world"] == [line[1] for line in lines_of(b"hel", b"lo wor", b"ld\n")]

    def test_structured(self) -> None:
        """A JSON object with level and message is taken as such, with its other fields."""
        [line] = lines_of(b'{"level": "warning", "message": "slow", "rows": 5, "stage": "x"}\n')
        assert ("warning", "slow", {"stream": "stdout", "rows": 5, "plugin_stage": "x"}) == line

    def test_other_json(self) -> None:
        """JSON without a known level, or without a message, is a line as any other."""
        texts = [b'{"level": "loud", "message": "x"}', b'{"message": 5}', b"[1]", b"{"]
        assert [t.decode() for t in texts] == [line[1] for line in lines_of(b"\n".join(texts))]

    def test_long(self) -> None:
        """A long line is cut, and its rest left out."""
        [line, after] = lines_of(b"x" * 3 * LINE_LIMIT_BYTES, b"x" * LINE_LIMIT_BYTES + b"\nnext\n")
        assert "x" * LINE_LIMIT_BYTES + " ..." == line[1]
        assert "next" == after[1]

    def test_a_log_that_nobody_takes(self) -> None:
        """Lines that cannot be written are lost; the plugin is read on, and its last lines kept."""

        class Gone:
            def info(self, message: str, **fields: object) -> None:
                raise BrokenPipeError

        lines = LogLines(Gone())
        lines.feed("stdout", b"one\ntwo\n")
        assert ["one", "two"] == lines.last_lines

    @pytest.mark.parametrize(
        ("printed", "shown"),
        [
            (b"\x1b[2J\x1b[31mred\x1b[0m", "red"),
            (b"\x1b]0;title\x07text", "text"),
            (b"bell \x07 null \x00", "bell \\x07 null \\x00"),
            (b"10%\r20%", "10%\\x0d20%"),
            (b'{"level": "info", "message": "\\u001b[2Jcleared"}', "cleared"),
            ("right \u202e left".encode(), "right \\u202e left"),
        ],
    )
    def test_terminal_sequences(self, printed: bytes, shown: str) -> None:
        """What a plugin prints never moves the cursor of whoever watches."""
        assert [shown] == [line[1] for line in lines_of(printed)]

    def test_not_text(self) -> None:
        """Bytes that are no text are shown as far as they are."""
        assert ["\ufffdok"] == [line[1] for line in lines_of(b"\xffok\n")]


class TestReason:
    def test_stands_before_its_dump(self) -> None:
        """The line that says why a Go program ended is kept however long its dump is."""
        lines = LogLines(Lines())
        lines.feed("stderr", b"fatal error: deadlock\n" + b"\tat some place\n" * 100)
        assert KEPT_LINES + 1 == len(lines.last_lines)
        assert ["fatal error: deadlock", "\tat some place"] == lines.last_lines[:2]

    def test_is_forgotten(self) -> None:
        """A program that goes on printing did not end for that reason."""
        lines = LogLines(Lines())
        lines.feed("stderr", b"panic: caught\n" + b"line\n" * (DUMP_LINES + 1))
        assert ["line"] * KEPT_LINES == lines.last_lines

    def test_stands_once(self) -> None:
        """A reason among the last lines is not told twice."""
        lines = LogLines(Lines())
        lines.feed("stderr", b"panic: boom\nline\n")
        assert ["panic: boom", "line"] == lines.last_lines


class TestFlood:
    def test_is_counted(self) -> None:
        """Lines beyond the burst are left out and counted, the last of them kept."""
        clock, log = Clock(), Lines()
        lines = LogLines(log, clock)
        lines.feed("stderr", b"".join(b"%d\n" % n for n in range(BURST_LINES + 500)))
        assert BURST_LINES == len(log.lines)
        assert 500 == lines.left_out
        assert str(BURST_LINES + 499) == lines.last_lines[-1]

    def test_in_large_pieces(self) -> None:
        """However much comes at once, every line is counted and the last twenty are kept."""
        lines = LogLines(Lines(), Clock())
        for start in range(0, 100_000, 10_000):
            lines.feed("stdout", b"".join(b"%d\n" % n for n in range(start, start + 10_000)))
        lines.feed("stdout", b"the end")
        lines.close()
        assert 100_000 - BURST_LINES == lines.left_out
        assert [*map(str, range(99_981, 100_000)), "the end"] == lines.last_lines

    def test_ends(self) -> None:
        """After a quiet time lines are written again, and the count is told once."""
        clock, log = Clock(), Lines()
        lines = LogLines(log, clock)
        lines.feed("stderr", b"x\n" * (BURST_LINES + 500))
        clock.now_s += 2.0
        lines.feed("stderr", b"again\n")
        assert ["warning", "info"] == [level for level, _, _ in log.lines[BURST_LINES:]]
        assert {"lines": 500} == log.lines[BURST_LINES][2]
        assert lines.last_lines[-1] == "again"
        assert LINES_PER_S > 0
