from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.sources.text_lines import Line, LineCutter, LineTooLong


def cut(chunks: list[bytes], *, limit: int = 100) -> list[Line]:
    cutter = LineCutter("stdin", max_line_bytes=limit)
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    return lines + cutter.finish()


@given(text=st.binary(max_size=60), size=st.integers(1, 60))
def test_chunks_do_not_matter(text: bytes, size: int) -> None:
    """However a stream is cut into chunks, its lines are the same."""
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert cut([text]) == cut(chunks)


def test_ends_and_marks() -> None:
    """LF and CRLF end a line, the last needs no end, a byte-order mark is left out."""
    expected = [Line(b"a", 1), Line(b"", 2), Line(b"b", 3), Line(b"c", 4)]
    assert expected == cut([b"\xef\xbb\xbfa\r\n\nb\nc"])


def test_limit() -> None:
    """A line over the limit is an error that names it, also before its end has come."""
    for chunks in ([b"ok\n" + b"x" * 101 + b"\n"], [b"ok\n", b"x" * 60, b"x" * 60]):
        with pytest.raises(LineTooLong, match="stdin:2"):
            cut(chunks)
