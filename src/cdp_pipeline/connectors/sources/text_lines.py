"""Lines of text as bytes: a line ends with LF or CRLF, the last one needs no end."""

from __future__ import annotations

from dataclasses import dataclass

from cdpplugin import Fatal

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LineTooLong(Fatal):
    """A line is longer than the configured limit."""

    code = "jsonl.line_too_long"
    hint = "raise `max_line`, or check that there is one JSON value a line"


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        text: Its bytes, without its end; a byte-order mark on the first line is left out.
        number: Its number in its file, from 1.
    """

    text: bytes
    number: int


def line_of(text: bytes, number: int) -> Line:
    """Return line *number*, which is *text* with or without its end."""
    text = text.removesuffix(b"\n").removesuffix(b"\r")
    return Line(text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text, number)


class LineCutter:
    """Cuts a stream of bytes into lines; holds no more than the line that has not ended."""

    def __init__(self, name: str, *, max_line_bytes: int) -> None:
        self._name = name
        self._max_line_bytes = max_line_bytes
        self._rest = bytearray()
        self._count = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that end in *chunk*.

        Raises:
            LineTooLong: A line is over the limit.
        """
        self._rest += chunk
        if b"\n" not in chunk:
            self._check(len(self._rest))
            return []
        *whole, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        lines = [self._next(text) for text in whole]
        self._check(len(rest))
        return lines

    def finish(self) -> list[Line]:
        """Return the last line, if it has no end."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [self._next(rest)] if rest else []

    def _next(self, text: bytes) -> Line:
        self._check(len(text))
        self._count += 1
        return line_of(text, self._count)

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_line_bytes:
            raise too_long(self._name, self._count + 1, self._max_line_bytes)


def too_long(name: str, number: int, limit_bytes: int) -> LineTooLong:
    """Return the error that line *number* of *name* is over the limit."""
    return LineTooLong(f"{name}:{number}: a line of at most {limit_bytes} bytes expected")
