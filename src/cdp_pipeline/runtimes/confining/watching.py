"""Measure the memory of all that a process has started, where no cgroup does.

Standard library only: the keeper reads this file by its path. Reads Linux's /proc (proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

INTERVAL_S = 0.05
"""Time between two looks, in seconds."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
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
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(name))
    found = list(parents.get(root, ()))
    for pid in found:
        yield pid
        found += parents.get(pid, ())


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[_RESIDENT]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _share_bytes(pid: int) -> int:
    """Return its proportional share, or its resident memory where that is not told."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident_bytes(pid)
