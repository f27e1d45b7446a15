"""Read lines of files, in bounded memory, from any place in them.

A line ends with LF or CRLF; a byte-order mark at the start of a file is left out; the last
line needs no end unless the file is still being written. Line numbers begin at 1.

Errors
    FileChanged     jsonl.file_changed   what was read before is not there any more
    LineTooLong     jsonl.line_too_long  a line is over the configured limit
    FileUnreadable  jsonl.unreadable     a file cannot be opened or read
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from cdpplugin import Fatal

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FINGERPRINT_BYTES = 4096


class FileChanged(Fatal):
    """A file is shorter than it was, or other than what was read of it before."""

    code = "jsonl.file_changed"
    hint = "put the file back as it was, or begin anew with `flowctl checkpoint reset`"


class LineTooLong(Fatal):
    """A line is longer than the configured limit."""

    code = "jsonl.line_too_long"


class FileUnreadable(Fatal):
    """A file cannot be opened or read."""

    code = "jsonl.unreadable"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file.

    Attributes:
        text: Its bytes, without its end.
        number: Its number in the file, from 1.
    """

    text: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on in a file.

    Attributes:
        offset: Byte offset of the next line.
        line: Lines before it in the file.
        fingerprint: Of what lies before it: its first and its last bytes.
    """

    offset: int = 0
    line: int = 0
    fingerprint: str = ""


def find_files(pattern: str) -> list[str]:
    """Return the files that *pattern* names, a path or a glob, sorted by path."""
    if glob.has_magic(pattern) and not os.path.exists(pattern):
        return sorted(p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p))
    return [pattern] if os.path.exists(pattern) else []


def base_of(pattern: str) -> Path:
    """Return the folder that does not change with the files that *pattern* finds."""
    if not glob.has_magic(pattern) or os.path.exists(pattern):
        return Path(pattern).parent
    fixed: list[str] = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed) if fixed else Path()


class LineCutter:
    """Cuts the bytes of one stream into lines."""

    def __init__(self, name: str, *, max_line_bytes: int, line: int = 0) -> None:
        self._name = name
        self._max_line_bytes = max_line_bytes
        self._rest = b""
        self.line = line

    def feed(self, chunk: bytes) -> list[Line]:
        """Return the lines that end in *chunk*."""
        head, end, tail = chunk.rpartition(b"\n")
        if not end:
            self._rest += chunk
            self._check(len(self._rest))
            return []
        whole = (self._rest + head).split(b"\n")
        self._rest = tail
        self._check(max(len(tail), *map(len, whole)))
        return [self._line(text) for text in whole]

    def finish(self) -> list[Line]:
        """Return the last line, if it has no end."""
        rest, self._rest = self._rest, b""
        return [self._line(rest)] if rest else []

    def _line(self, text: bytes) -> Line:
        self.line += 1
        if self.line == 1:
            text = text.removeprefix(BYTE_ORDER_MARK)
        return Line(text.removesuffix(b"\r"), self.line)

    def _check(self, size: int) -> None:
        if size > self._max_line_bytes:
            raise LineTooLong(
                f"{self._name}:{self.line + 1}: a line of {size} bytes or more, "
                f"at most {self._max_line_bytes} expected",
                hint="raise `max_line`, or check that the file has one JSON value a line",
            )


class LineFile:
    """One file, read from *place* on. Its calls block.

    Attributes:
        place: Where it goes on.
    """

    def __init__(self, path: str, place: Place, *, max_line_bytes: int) -> None:
        self.path = path
        self.place = place
        self._max_line_bytes = max_line_bytes
        self._file = _open(path)
        try:
            if place.offset and _fingerprint(self._file, place.offset) != place.fingerprint:
                raise FileChanged(f"`{path}` is not the file that was read to byte {place.offset}")
            self._file.seek(place.offset)
        except BaseException:
            self._file.close()
            raise

    def read(self, *, max_lines: int, max_bytes: int, partial: bool) -> list[Line]:
        """Return the next lines; none where there are no more for now.

        Args:
            max_lines: Lines to read at the most.
            max_bytes: Bytes after which to stop.
            partial: Whether a last line without an end is one.

        Raises:
            FileChanged, LineTooLong, FileUnreadable: See there.
        """
        lines: list[Line] = []
        offset, number = self.place.offset, self.place.line
        last = offset + max_bytes
        while len(lines) < max_lines and offset < last:
            text = self._readline(offset, number)
            if not text or not (partial or text.endswith(b"\n")):
                break
            offset, number = offset + len(text), number + 1
            text = text.removesuffix(b"\n").removesuffix(b"\r")
            lines.append(Line(text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text, number))
        self.place = Place(offset, number, self.place.fingerprint)
        return lines

    def _readline(self, offset: int, number: int) -> bytes:
        try:
            text = self._file.readline(self._max_line_bytes + 2)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(text) > self._max_line_bytes and not text.endswith(b"\n"):
            raise LineTooLong(
                f"{self.path}:{number + 1}: a line of more than {self._max_line_bytes} bytes",
                hint="raise `max_line`, or check that the file has one JSON value a line",
            )
        if not text.endswith(b"\n"):
            self._file.seek(offset)
        return text

    def check_growth(self) -> None:
        """Look whether the file is still the one that was opened, and not shorter.

        Raises:
            FileChanged: It is not.
        """
        try:
            now, opened = os.stat(self.path), os.fstat(self._file.fileno())
        except OSError as error:
            raise FileChanged(f"`{self.path}` is gone") from error
        if (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino):
            raise FileChanged(f"`{self.path}` was replaced by another file")
        if now.st_size < self.place.offset:
            raise FileChanged(
                f"`{self.path}` was cut to {now.st_size} bytes, {self.place.offset} were read"
            )

    def mark(self) -> Place:
        """Return the place reached, with the fingerprint of what lies before it."""
        place = self.place
        with _open(self.path) as file:
            mark = _fingerprint(file, place.offset)
        return Place(place.offset, place.line, mark)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def names_digest(names: Iterable[str]) -> str:
    """Return a short digest of file names, in their order."""
    return sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()[:16]


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=1 << 20)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> FileUnreadable:
    return FileUnreadable(
        f"cannot read `{path}`: {error.strerror or error}",
        hint="check `path` and its permissions",
    )


def _fingerprint(file: BinaryIO, offset: int) -> str:
    """Return a digest of the first and the last bytes before *offset*."""
    digest = sha256(file.read(min(offset, _FINGERPRINT_BYTES)))
    file.seek(max(0, offset - _FINGERPRINT_BYTES))
    last = file.read(min(offset, _FINGERPRINT_BYTES))
    digest.update(last)
    return digest.hexdigest()[:32]
