"""The names of Parquet files, and what they say of a consumer that wrote them before.

A name is `<first position>-<last position>-<writer>.parquet`: the file holds every row
of its table at these positions.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from cdp_pipeline.connectors.consumers.file_store import FileStore, put_bytes
from cdp_pipeline.connectors.consumers.position_marker import (
    marker_key,
    read_marker,
    writer_token,
)
from cdp_pipeline.connectors.tables import TableNames
from cdpplugin import Context, Fatal

_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8})\.parquet")


def file_name(first: int, last: int, token: str) -> str:
    """Return the name of a file, so that names sort by position."""
    return f"{first:010d}-{last:010d}-{token}.parquet"


class RangeTaken(Fatal):
    """Another stage or pipeline keeps rows of the same table and positions at this place."""

    code = "parquet.range_taken"
    hint = (
        "give each stage and pipeline a `path` of its own, or delete the other one's files with "
        "`flowctl checkpoint reset`"
    )


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table, as its name tells.

    Attributes:
        first: The first position it holds.
        last: The last one.
        token: Whose it is.
        key: Its key.
    """

    first: int
    last: int
    token: str
    key: str


class TableFiles:
    """The files of one table at one time: those of one writer and those of all others."""

    def __init__(self, files: FileStore, folder: str, token: str) -> None:
        self._folder = folder
        found = sorted(_table_files(files, folder), key=lambda file: (file.first, file.last))
        self._own = [file for file in found if file.token == token]
        self._others = [file for file in found if file.token != token]
        self._firsts = [file.first for file in self._others]
        # The files before an index may reach further than the last of them.
        self._reach = list(accumulate((file.last for file in self._others), max))

    def ends(self) -> dict[str, int]:
        """Return the last position that the writer's own files reach, by partition folder."""
        ends: dict[str, int] = {}
        for file in self._own:
            partition = file.key.rpartition("/")[0].removeprefix(self._folder).strip("/")
            ends[partition] = max(file.last, ends.get(partition, -1))
        return ends

    def check_free(self, first: int, last: int, address: str) -> None:
        """Refuse to keep positions *first* to *last* where another writer has some of them.

        Raises:
            RangeTaken: It has.
        """
        stop = bisect_right(self._firsts, last)
        if stop == 0 or self._reach[stop - 1] < first:
            return
        taken = next(file for file in self._others[:stop] if file.last >= first)
        raise RangeTaken(
            f"table `{self._folder}` in `{address}`: positions {first} to {last} of one writer "
            f"expected, another one's file `{taken.key}` holds some of them"
        )

    def check_own(self, address: str) -> None:
        """Refuse files of the writer that share positions with another one's.

        Raises:
            RangeTaken: There are some.
        """
        for file in self._own:
            self.check_free(file.first, file.last, address)


def _table_files(files: FileStore, folder: str) -> Iterator[TableFile]:
    for key in files.keys(folder):
        match = _NAME.fullmatch(key.rpartition("/")[2])
        if match:
            yield TableFile(int(match[1]), int(match[2]), match[3], key)


def forget(files: FileStore, context: Context) -> list[str]:
    """Delete the files of one consumer and its marker; return what was done, a line each.

    Files go from the last to the first, so that an interruption leaves a state that a
    run can go on from, as can another `forget`.
    """
    key = marker_key(context)
    content = files.read(key)
    if content is None:
        return []
    marker = read_marker(content, context, f"{files.address}/{key}")
    put_bytes(files, key, marker.advanced(-1).encode())
    names, token = TableNames(), writer_token(context)
    done = [_forget_table(files, names.of(kind), token) for kind in marker.tables]
    files.delete(key)
    return [*done, f"deleted the position of `{context.stage}` in `{files.address}`"]


def _forget_table(files: FileStore, folder: str, token: str) -> str:
    files.sweep(folder, token)
    ours = [file for file in _table_files(files, folder) if file.token == token]
    for file in sorted(ours, key=lambda file: (file.last, file.key), reverse=True):
        files.delete(file.key)
    return f"deleted {len(ours)} files of table `{folder}` in `{files.address}`"
