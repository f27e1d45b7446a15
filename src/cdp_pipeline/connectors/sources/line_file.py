"""Read the lines of one file, in bounded memory, from any place in it.

Errors
    FileUnreadable  jsonl.unreadable    a file cannot be opened or read
    FileChanged     jsonl.file_changed  what was read of it before is not there any more
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from hashlib import sha256

from cdpplugin import Fatal

from .text_lines import Line, line_of, too_long

_FINGERPRINT_BYTES = 4096


class FileUnreadable(Fatal):
    """A file cannot be opened or read."""

    code = "jsonl.unreadable"
    hint = "check `path` and its permissions"


class FileChanged(Fatal):
    """A file is shorter than it was, or other than what was read of it before."""

    code = "jsonl.file_changed"
    hint = "put the file back as it was, or begin anew with `flowctl checkpoint reset`"


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading goes on in a file.

    Attributes:
        offset: Byte offset of the next line.
        line: Lines before it in the file.
        fingerprint: Digest of the first and the last bytes before it, or empty.
    """

    offset: int = 0
    line: int = 0
    fingerprint: str = ""


class LineFile:
    """One open file. Its calls block.

    Attributes:
        path: Where it is.
        place: Where it goes on; `marked` adds the fingerprint.
    """

    def __init__(self, path: str, place: Place, *, max_line_bytes: int) -> None:
        """Open *path* at *place*.

        Raises:
            FileUnreadable: It cannot be opened.
            FileChanged: What lies before *place* is not what was read.
        """
        self.path = path
        self.place = place
        self._max_line_bytes = max_line_bytes
        try:
            self._file = open(path, "rb", buffering=1 << 20)  # noqa: SIM115
        except OSError as error:
            raise _unreadable(path, error) from error
        if place.fingerprint and self.marked().fingerprint != place.fingerprint:
            self._file.close()
            raise FileChanged(f"`{path}` is not the file that was read to line {place.line}")
        self._file.seek(place.offset)

    def read(self, *, max_lines: int, max_bytes: int, unfinished: bool) -> list[Line]:
        """Return the next lines; none where there are no more for now.

        Args:
            max_lines: Lines to read at the most.
            max_bytes: Bytes after which to stop.
            unfinished: Whether a last line that has no end is a line already.

        Raises:
            FileUnreadable, LineTooLong: See there.
        """
        lines: list[Line] = []
        offset, number = self.place.offset, self.place.line
        stop = offset + max_bytes
        while len(lines) < max_lines and offset < stop:
            text = self._next(number + 1)
            if not text or not (unfinished or text.endswith(b"\n")):
                self._file.seek(offset)  # to see what is written there later
                break
            offset, number = offset + len(text), number + 1
            lines.append(line_of(text, number))
        self.place = Place(offset, number)
        return lines

    def _next(self, number: int) -> bytes:
        limit_bytes = self._max_line_bytes
        try:
            text = self._file.readline(limit_bytes + 2)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(text.rstrip(b"\r\n")) > limit_bytes:
            raise too_long(self.path, number, limit_bytes)
        return text

    def check_kept(self) -> None:
        """Check that the file is still the one that was opened, and no shorter.

        Raises:
            FileChanged: It is not.
        """
        try:
            there, ours = os.stat(self.path), os.fstat(self._file.fileno())
        except OSError as error:
            raise FileChanged(f"`{self.path}` is gone while it is read") from error
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise FileChanged(f"`{self.path}` was replaced while it is read")
        if there.st_size < self.place.offset:
            raise FileChanged(
                f"`{self.path}` was cut to {there.st_size} bytes, "
                f"{self.place.offset} bytes of it were read"
            )

    def marked(self) -> Place:
        """Return `place` with the fingerprint of what lies before it."""
        offset = self.place.offset
        size = min(offset, _FINGERPRINT_BYTES)
        try:
            first = os.pread(self._file.fileno(), size, 0)
            last = os.pread(self._file.fileno(), size, offset - size)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return replace(self.place, fingerprint=sha256(first + b"\0" + last).hexdigest()[:32])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _unreadable(path: str, error: OSError) -> FileUnreadable:
    return FileUnreadable(f"cannot read `{path}`: {error.strerror or error}")
