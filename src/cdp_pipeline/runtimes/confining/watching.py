"""Measure the memory of all that a process has started, where no cgroup does.

Standard library only: the keeper reads this file by its path. Reads Linux's /proc (proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

INTERVAL_S = 0.05
"""Time between two looks, in seconds."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TELLS_CHILDREN = os.path.exists("/proc/thread-self/children")
_RESIDENT = 1
"""Field of `/proc/PID/statm`."""


def exceeds(root: int, limit_bytes: int) -> bool:
    """Tell whether the processes below *root* hold more memory than the limit.

    Resident memory is quickly had, but pages that processes share count once for each; only
    where that sum is too large are their proportional shares asked for.
    """
    members = list(descendants(root))
    if sum(map(_resident_bytes, members)) <= limit_bytes:
        return False
    return sum(map(_share_bytes, members)) > limit_bytes


def descendants(root: int) -> Iterator[int]:
    """Yield all processes below *root*, as far as the system lists them as Linux does."""
    children = _children if _TELLS_CHILDREN else _parents().get
    found = list(children(root) or ())
    for pid in found:
        yield pid
        found += children(pid) or ()


def _children(pid: int) -> list[int]:
    """Return the children of a process, which are those of its threads."""
    found: list[int] = []
    with suppress(OSError):  # it has ended meanwhile, or the thread has
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def _parents() -> dict[int, list[int]]:
    """Return all processes by their parent, for a kernel that does not tell the children."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(name))
    return parents


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[_RESIDENT]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _share_bytes(pid: int) -> int:
    """Return its proportional share, or its resident memory where that is not told."""
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return _resident_bytes(pid)
