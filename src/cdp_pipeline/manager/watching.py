"""See that a plugin's files have changed, and wait until they are whole.

A file that somebody still writes to is not whole: on Linux the kernel says so (a read lease is
refused while any process has the file open for writing; fcntl(2), F_SETLEASE). Elsewhere, and in
addition, nothing may have changed for a while. What has the same content as before is no change.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

NOT_WATCHED = frozenset({"node_modules", "__pycache__", "target", ".git", ".venv"})
_MOST_FILES = 20_000
_MOST_TRIES = 600

Facts = tuple[tuple[str, int, int], ...]


class Place:
    """A plugin's folder or file, and what it held when it was last looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._digest = digest(path)

    def has_changed(self) -> bool:
        """Tell whether the content is another one than the last time; remember it."""
        before, self._digest = self._digest, digest(self.path)
        return before != self._digest

    def remember(self) -> None:
        """Remember the content as it is now: what a build has written is no change."""
        self._digest = digest(self.path)


async def changes(places: Mapping[str, Path], debounce_s: float) -> AsyncIterator[set[str]]:
    """Yield the names of places that have changed, once nobody changes them any more.

    Args:
        places: Folders and files by name.
        debounce_s: For how long nothing may have changed.
    """
    from watchfiles import awatch

    watched = {_watched(path) for path in places.values()}
    async for seen in awatch(
        *watched, debounce=max(50, int(debounce_s * 1000)), step=50, recursive=True
    ):
        paths = [Path(path) for _, path in seen]
        names = {
            name for name, place in places.items() if any(_concerns(place, path) for path in paths)
        }
        for name in names:
            await whole(places[name], debounce_s)
        if names:
            yield names


async def whole(place: Path, debounce_s: float) -> None:
    """Wait until *place* has not changed for a while and nobody writes to it."""
    before = facts(place)
    for _ in range(_MOST_TRIES):
        await asyncio.sleep(max(debounce_s, 0.02))
        now = facts(place)
        if now == before and not any(_is_written_to(path) for path in _files(place)):
            return
        before = now


def digest(place: Path) -> str:
    """Return a digest of the names and contents of a folder's files, or of one file."""
    total = hashlib.sha256()
    for path in _files(place):
        total.update(str(path).encode() + b"\0")
        try:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            total.update(b"gone")
    return total.hexdigest()


def facts(place: Path) -> Facts:
    """Return size and time of change of each file, by name."""
    found = []
    for path in _files(place):
        try:
            seen = path.stat()
        except OSError:
            continue
        found.append((str(path), seen.st_size, seen.st_mtime_ns))
    return tuple(found)


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        if place.is_file():
            yield place
        return
    count = 0
    for folder, folders, names in os.walk(place):
        folders[:] = sorted(n for n in folders if n not in NOT_WATCHED and not n.startswith("."))
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not name.startswith(".") and count < _MOST_FILES:
                count += 1
                yield path


def _watched(path: Path) -> Path:
    """Return what to watch for *path*: a file may be replaced by another one of its name."""
    return path if path.is_dir() else path.parent


def _concerns(place: Path, path: Path) -> bool:
    if not place.is_dir():
        return path == place
    if not path.is_relative_to(place):
        return False
    parts = path.relative_to(place).parts
    return not any(part in NOT_WATCHED or part.startswith(".") for part in parts)


def _is_written_to(path: Path) -> bool:
    """Tell whether somebody has *path* open for writing, as far as the system tells."""
    lease = getattr(fcntl, "F_SETLEASE", None)
    if lease is None:
        return False
    try:
        with path.open("rb") as file:
            fcntl.fcntl(file, lease, fcntl.F_RDLCK)
            fcntl.fcntl(file, lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # not this user's file, or a file system without leases
        return False
    return False
