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
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path

NOT_WATCHED = frozenset({"node_modules", "__pycache__", "target", ".git", ".venv"})
_PASSING = (".log", ".tmp", ".swp", ".part", ".pid", ".sock", "~")
"""Ends of names that come and go with a plugin at work, or an editor."""
_MOST_FILES = 20_000
_QUIET_MS = 1000
"""After a silence of so long it is looked whether the folders are the same still."""
_MOST_TRIES = 600

Facts = tuple[tuple[str, int, int], ...]
Folders = Mapping[Path, tuple[int, int]]


class Place:
    """A plugin's folder or file, and what it held when it was last looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._contents = contents(path)

    def has_changed(self) -> bool:
        """Tell whether the content is another one than the last time; remember it."""
        before, self._contents = self._contents, contents(self.path)
        return before != self._contents

    def accept_new(self) -> None:
        """Let files that were not there before be no change: a plugin at work wrote them.

        What was there and is another one now is a change still: somebody may have changed it
        after it was read.
        """
        self._contents = contents(self.path) | self._contents


async def changes(
    places: Mapping[str, Path], debounce_s: float, *, at_once: bool = False
) -> AsyncIterator[set[str]]:
    """Yield the names of places that have changed, once nobody changes them any more.

    Args:
        places: Folders and files by name.
        debounce_s: For how long nothing may have changed.
        at_once: Whether all places are named once the watch has begun: something may have changed
            before.
    """
    where = {name: path.absolute() for name, path in places.items()}
    unseen = set(where) if at_once else set()
    while True:
        folders = await asyncio.to_thread(_folders, where.values())
        async with aclosing(_seen(folders, debounce_s)) as stream:
            async for paths in stream:
                names = {n for n, place in where.items() if any(_concerns(place, p) for p in paths)}
                names |= unseen
                unseen = set()
                for name in names:
                    await whole(where[name], debounce_s)
                if names:
                    yield names
                if await asyncio.to_thread(_folders, where.values()) != folders:
                    break  # there are others to be watched now
        unseen = set(where)  # whatever happened while nobody watched


async def _seen(folders: Folders, debounce_s: float) -> AsyncGenerator[set[Path], None]:
    """Yield the paths that change directly in one of *folders*; none, when it is quiet."""
    from watchfiles import awatch

    if not folders:
        await asyncio.sleep(_QUIET_MS / 1000)
        return
    async for seen in awatch(
        *folders,
        watch_filter=None,
        debounce=max(50, int(debounce_s * 1000)),
        step=50,
        recursive=False,
        rust_timeout=_QUIET_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield {Path(path) for _, path in seen}


async def whole(place: Path, debounce_s: float) -> None:
    """Wait until *place* has not changed for a while and nobody writes to it."""
    before = await asyncio.to_thread(facts, place)
    for _ in range(_MOST_TRIES):
        await asyncio.sleep(max(debounce_s, 0.02))
        now = await asyncio.to_thread(facts, place)
        if now == before and not await asyncio.to_thread(_is_any_written_to, place):
            return
        before = now


def contents(place: Path) -> dict[str, bytes]:
    """Return a digest of each of a folder's files, or of one file, by name."""
    found = {}
    for path in _files(place):
        try:
            with path.open("rb") as file:
                found[str(path)] = hashlib.file_digest(file, "sha256").digest()
        except OSError:
            found[str(path)] = b"gone"
    return found


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
        folders[:] = sorted(filter(_is_watched, folders))
        for name in sorted(filter(_is_watched, names)):
            path = Path(folder) / name
            if count < _MOST_FILES and path.is_file():
                count += 1
                yield path


def _folders(places: Iterable[Path]) -> Folders:
    """Return each folder to watch, and which one it is: another may come in its place.

    A file and a folder may be replaced by another of its name, which its parent sees. Only what
    is watched is opened: no folder of packages, and nothing else that lies beside a place.
    """
    found = {}
    for place in places:
        paths = [place.parent]
        for folder, folders, _ in os.walk(place):
            folders[:] = [n for n in folders if _is_watched(n)]
            paths.append(Path(folder))
        for path in paths[:_MOST_FILES]:
            with suppress(OSError):
                status = path.stat()
                found[path] = status.st_dev, status.st_ino
    return found


def _is_any_written_to(place: Path) -> bool:
    return any(_is_written_to(path) for path in _files(place))


def _is_watched(name: str) -> bool:
    """Tell whether a file or folder of this name is part of a plugin."""
    return name not in NOT_WATCHED and not name.startswith(".") and not name.endswith(_PASSING)


def _concerns(place: Path, path: Path) -> bool:
    if not path.is_relative_to(place):
        return False
    return all(_is_watched(part) for part in path.relative_to(place).parts)


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
