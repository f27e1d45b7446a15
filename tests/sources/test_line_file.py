from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cdp_pipeline.connectors.sources.line_file import (
    FileChanged,
    FileUnreadable,
    LineFile,
    Place,
)
from cdp_pipeline.connectors.sources.text_lines import LineTooLong


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf1\r\n2\n\n4")
    return path


Open = Callable[..., LineFile]


@pytest.fixture
def open_file() -> Iterator[Open]:
    """Open files, and close them in the end."""
    with ExitStack() as opened:

        def open_one(path: Path, place: Place | None = None, *, limit: int = 100) -> LineFile:
            file = LineFile(str(path), place or Place(), max_line_bytes=limit)
            opened.callback(file.close)
            return file

        yield open_one


def read(file: LineFile, *, lines: int = 100, unfinished: bool = True) -> list[bytes]:
    found = file.read(max_lines=lines, max_bytes=1 << 20, unfinished=unfinished)
    return [line.text for line in found]


def test_lines_and_places(path: Path, open_file: Open) -> None:
    """Lines come without ends; the place counts bytes and lines."""
    file = open_file(path)
    assert [b"1", b"2"] == read(file, lines=2)
    assert (8, 2) == (file.place.offset, file.place.line)
    assert [b"", b"4"] == read(file)
    assert [] == read(file)


def test_goes_on_at_a_place(path: Path, open_file: Open) -> None:
    """Reading goes on at a marked place, with the right numbers."""
    first = open_file(path)
    read(first, lines=2)
    second = open_file(path, first.marked())
    assert [3, 4] == [
        line.number for line in second.read(max_lines=9, max_bytes=99, unfinished=True)
    ]


def test_partial_line_waits(path: Path, open_file: Open) -> None:
    """A last line without its end is none until it has one, then it is whole."""
    file = open_file(path)
    assert [b"1", b"2", b""] == read(file, unfinished=False)
    with path.open("ab") as more:
        more.write(b"4\n5")
    assert [b"44"] == read(file, unfinished=False)
    assert [b"5"] == read(file)


def test_bytes_bound_a_read(path: Path, open_file: Open) -> None:
    """A read stops after so many bytes."""
    assert 1 == len(open_file(path).read(max_lines=9, max_bytes=1, unfinished=True))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf1\r\n3\n\n4", b"\xef\xbb\xbf1\r\n", b""])
def test_changed_file_is_noticed_at_resume(path: Path, open_file: Open, content: bytes) -> None:
    """A file that was replaced or cut is not gone on with."""
    file = open_file(path)
    read(file, lines=2)
    place = file.marked()
    path.write_bytes(content)
    with pytest.raises(FileChanged):
        open_file(path, place)


def test_change_while_reading_is_noticed(path: Path, open_file: Open) -> None:
    """A file that is cut, replaced or removed while it is followed is an error."""
    file = open_file(path)
    read(file)
    file.check_kept()
    path.write_bytes(b"1\n")
    with pytest.raises(FileChanged, match="cut"):
        file.check_kept()
    path.rename(path.with_suffix(".old"))
    with pytest.raises(FileChanged, match="gone"):
        file.check_kept()
    path.write_bytes(b"1\n2\n3\n4\n5\n6\n7\n")
    with pytest.raises(FileChanged, match="replaced"):
        file.check_kept()


def test_limit(path: Path, open_file: Open) -> None:
    """A line of the limit passes, a longer one is an error that names file and line."""
    path.write_bytes(b"12345\r\n123456\n")
    file = open_file(path, limit=5)
    assert [b"12345"] == read(file, lines=1)
    with pytest.raises(LineTooLong, match=r"a\.jsonl:2"):
        read(file)


def test_unreadable(tmp_path: Path, open_file: Open) -> None:
    """A file that cannot be opened is an error that names it."""
    with pytest.raises(FileUnreadable, match="absent"):
        open_file(tmp_path / "absent")
