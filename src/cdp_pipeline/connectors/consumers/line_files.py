"""Append lines to files, each line exactly once, whatever crashes when.

1. Only rows of whole positions are written; the others wait in memory.
2. The position is stored with the length of every file, after the files are synced.
3. On start every file is cut back to its stored length, and rows at or before the stored
   position are left out.
4. A file is listed in the marker before it is made; a file that is there and not listed, or
   listed by another stage's marker too, is somebody else's, and refused.
5. An error leaves files and rows as they were before the delivery, which may come again.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cdp_pipeline.connectors.consumers.file_store import (
    LocalFiles,
    make_folder,
    sync_folder,
    write_file,
)
from cdp_pipeline.connectors.consumers.json_lines import Content, json_lines
from cdp_pipeline.connectors.consumers.other_writers import other_owner
from cdp_pipeline.connectors.consumers.position_marker import Marker, marker_key, read_marker
from cdp_pipeline.connectors.consumers.storage_errors import storage_errors
from cdp_pipeline.connectors.tables import TableNames, split_by_type
from cdpplugin import Context, Delivery, Fatal


class FileTaken(Fatal):
    """A file of that name is there, and this stage did not write it."""

    code = "jsonl.file_taken"
    hint = "give each stage a `path` of its own, or move that file away"


class FileShortened(Fatal):
    """A file is shorter than it was, or gone: lines that were durable are lost."""

    code = "jsonl.file_shortened"
    hint = "put the file back, or begin anew with `flowctl checkpoint reset`"


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines of one stem that wait for their positions to be whole."""

    stem: str
    lines: Sequence[bytes]
    positions: Sequence[int]

    def split(self, mark: int) -> tuple[_Lines, _Lines]:
        stop = bisect_right(self.positions, mark)
        first = _Lines(self.stem, self.lines[:stop], self.positions[:stop])
        return first, _Lines(self.stem, self.lines[stop:], self.positions[stop:])


class LineFiles:
    """The files of one consumer. Calls block; they may come from any thread.

    Args:
        path: A folder, which gets a file a message type; or a file, if it ends in `.jsonl`,
            `.ndjson` or `.json`.
        context: Whose files they are.
        content: What a line holds.
        max_bytes: Bytes from which a file is followed by the next, numbered; 0 for never.
        sync_interval_s: Seconds between two times the position is stored.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self,
        path: Path,
        context: Context,
        *,
        content: Content = "payload",
        max_bytes: int = 0,
        sync_interval_s: float = 1.0,
        clock: Callable[[], float],
    ) -> None:
        single = path.suffix in (".jsonl", ".ndjson", ".json")
        self._single = path.name if single else ""
        self._root = path.parent if single else path
        self._context = context
        self._content = content
        self._max_bytes = max_bytes
        self._sync_interval_s = sync_interval_s
        self._clock = clock
        self._names = TableNames()
        self._marker = Marker(context.pipeline, context.stage)
        self._lengths: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._waiting: list[_Lines] = []
        self._mark = self._floor = -1
        self._synced_s = clock()
        self._lock = threading.Lock()

    @property
    def completed_through(self) -> int:
        """The position through which everything is durable; -1 for nothing."""
        return self._marker.completed_through

    @property
    def _marker_path(self) -> Path:
        return self._root / marker_key(self._context)

    def open(self) -> None:
        """Cut the files back to what is durable.

        Raises:
            FileTaken: Another stage writes to one of the files; nothing was touched.
            FileShortened: Durable lines are gone.
            MarkerInvalid, StorageDenied, StorageInvalid: The place cannot be used.
        """
        with storage_errors(str(self._root)):
            marker = _load(self._marker_path, self._context)
            if marker is None:
                make_folder(self._marker_path.parent)
                self._save(self._marker)
                if self._single:
                    self._open(_numbered(self._single, 1) if self._max_bytes else self._single)
                return
            for name, _ in marker.files:
                self._check_owner(name)
            self._lengths = dict(marker.files)
            for name, length in self._lengths.items():
                self._cut_back(name, length)
            self._marker = marker
            self._mark = self._floor = marker.completed_through

    def _cut_back(self, name: str, length: int) -> None:
        path = self._root / name
        if not path.exists() and 0 < self._max_bytes <= length:
            return  # full, so nothing comes any more: it may have been moved elsewhere
        found = path.stat().st_size if path.exists() else 0
        if found < length:
            raise FileShortened(f"`{path}`: expected {length} bytes at least, got {found}")
        if found > length:
            os.truncate(path, length)

    def take(self, delivery: Delivery) -> int | None:
        """Take *delivery*; return what is durable now, or None for nothing.

        Raises:
            StorageFull, StorageUnreachable: Try again with the same delivery.
        """
        with self._lock, storage_errors(str(self._root)):
            waiting = [*self._waiting, *self._incoming(delivery)]
            mark = max(self._mark, delivery.completed_through)
            halves = [lines.split(mark) for lines in waiting]
            self._append([ready for ready, _ in halves if ready.lines])
            self._waiting = [rest for _, rest in halves if rest.lines]
            self._mark = mark
            due = self._clock() - self._synced_s >= self._sync_interval_s
            return self._settle() if due else self._durable

    def flush(self) -> int | None:
        """Make all whole positions durable; return what is durable now, or None for nothing.

        Raises:
            StorageFull, StorageUnreachable: Try again.
        """
        with self._lock, storage_errors(str(self._root)):
            return self._settle()

    def close(self) -> None:
        """Close the files; lines not yet durable are cut off by the next start."""
        with self._lock:
            for descriptor in self._files.values():
                os.close(descriptor)
            self._files = {}

    @property
    def _durable(self) -> int | None:
        return self.completed_through if self.completed_through >= 0 else None

    def _incoming(self, delivery: Delivery) -> list[_Lines]:
        delivery = delivery.after(self._floor)
        if self._single and len(delivery.batch):
            lines = json_lines(delivery.batch, self._content)
            return [_Lines(self._single, lines, delivery.positions)]
        return [
            _Lines(f"{self._names.of(type)}.jsonl", json_lines(batch, self._content), positions)
            for type, batch, positions in split_by_type(delivery.batch, delivery.positions)  # noqa: A001
        ]

    def _append(self, ready: Sequence[_Lines]) -> None:
        """Write lines; all of them, or none."""
        before = dict(self._lengths)
        newest = dict(self._newest)
        try:
            for lines in ready:
                name = self._file_of(lines.stem)
                text = b"".join(lines.lines)
                _write(self._files[name], text)
                self._lengths[name] += len(text)
        except BaseException:
            self._newest = newest
            self._take_back(before)
            raise

    def _take_back(self, lengths: dict[str, int]) -> None:
        for name, descriptor in self._files.items():
            with suppress(OSError):
                os.ftruncate(descriptor, lengths.get(name, 0))
        self._lengths = {name: lengths.get(name, 0) for name in self._lengths}

    def _file_of(self, stem: str) -> str:
        """Return the name of the open file to which lines of *stem* go."""
        name = _numbered(stem, self._number(stem)) if self._max_bytes else stem
        if self._max_bytes and self._lengths.get(name, 0) >= self._max_bytes:
            self._newest[stem] = self._number(stem) + 1
            name = _numbered(stem, self._newest[stem])
        if name not in self._files:
            self._open(name)
        return name

    def _number(self, stem: str) -> int:
        if stem not in self._newest:
            number = 1
            while _numbered(stem, number + 1) in self._lengths:
                number += 1
            self._newest[stem] = number
        return self._newest[stem]

    def _open(self, name: str) -> None:
        path = self._root / name
        if name not in self._lengths:
            self._claim(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._files[name] = os.open(path, flags, 0o644)
        sync_folder(path.parent)

    def _claim(self, name: str) -> None:
        """List a new file as ours, unless it is somebody else's."""
        path = self._root / name
        if path.exists() and path.stat().st_size:
            raise FileTaken(f"`{path}`: expected no such file, got one of another writer")
        before = self._marker
        self._save(replace(before, files=(*before.files, (name, 0))))
        try:
            # Looked at after it was listed: of two that claim at once, one sees the other.
            self._check_owner(name)
        except FileTaken:
            self._save(before)
            raise
        self._lengths[name] = 0

    def _check_owner(self, name: str) -> None:
        if owner := other_owner(LocalFiles(self._root), self._context, name):
            raise FileTaken(f"`{self._root / name}`: expected one writer, {owner} writes it too")

    def _settle(self) -> int | None:
        """Sync the files, then store their lengths with the position."""
        if self._mark > self.completed_through:
            for descriptor in self._files.values():
                os.fsync(descriptor)
            files = tuple(self._lengths.items())
            self._save(replace(self._marker, completed_through=self._mark, files=files))
            self._close_full()
        self._synced_s = self._clock()
        return self._durable

    def _close_full(self) -> None:
        for name in list(self._files):
            if 0 < self._max_bytes <= self._lengths[name]:
                os.close(self._files.pop(name))

    def _save(self, marker: Marker) -> None:
        write_file(self._marker_path, marker.encode())
        self._marker = marker


def _load(path: Path, context: Context) -> Marker | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return read_marker(content, context, str(path))


def _numbered(stem: str, number: int) -> str:
    name = Path(stem)
    return f"{name.stem}-{number:05d}{name.suffix}"


def _write(descriptor: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def forget(path: Path, context: Context) -> list[str]:
    """Delete the files of one consumer and its marker; return what was done, a line each."""
    files = LineFiles(path, context, clock=lambda: 0.0)
    with storage_errors(str(path)):
        marker = _load(files._marker_path, context)
        if marker is None:
            return []
        names = [name for name, _ in marker.files]
        emptied = replace(marker, completed_through=-1, files=tuple((n, 0) for n in names))
        write_file(files._marker_path, emptied.encode())
        for name in names:
            (files._root / name).unlink(missing_ok=True)
        files._marker_path.unlink()
        with suppress(OSError):
            files._marker_path.parent.rmdir()
    done = [f"deleted `{files._root / name}`" for name in names]
    return [*done, f"deleted the position of `{context.stage}` in `{files._root}`"]
