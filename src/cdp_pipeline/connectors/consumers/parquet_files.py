"""The names of Parquet files, and what they say of a consumer that wrote them before.

A name is `<first position>-<last position>-<writer>.parquet`: the file holds every row
of its table at these positions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdp_pipeline.connectors.consumers.file_store import FileStore, put_bytes
from cdp_pipeline.connectors.consumers.position_marker import (
    marker_key,
    read_marker,
    writer_token,
)
from cdp_pipeline.connectors.tables import TableNames
from cdpplugin import Context

_NAME = re.compile(r"(\d+)-(\d+)-([0-9a-f]{8})\.parquet")


def file_name(first: int, last: int, token: str) -> str:
    """Return the name of a file, so that names sort by position."""
    return f"{first:010d}-{last:010d}-{token}.parquet"


def file_ends(files: FileStore, folder: str, token: str) -> dict[str, int]:
    """Return the last position that one writer's files reach, by partition folder."""
    ends: dict[str, int] = {}
    for last, key in _own_files(files, folder, token):
        partition = key.rpartition("/")[0].removeprefix(folder).strip("/")
        ends[partition] = max(last, ends.get(partition, -1))
    return ends


def _own_files(files: FileStore, folder: str, token: str) -> Iterator[tuple[int, str]]:
    for key in files.keys(folder):
        match = _NAME.fullmatch(key.rpartition("/")[2])
        if match and match[3] == token:
            yield int(match[2]), key


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
    ours = sorted(_own_files(files, folder, token), reverse=True)
    for _, key in ours:
        files.delete(key)
    return f"deleted {len(ours)} files of table `{folder}` in `{files.address}`"
