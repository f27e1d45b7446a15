"""Hold something alone: among the tasks of this host, and among all hosts of the machine.

The lock is the kernel's, on a file or on a folder itself (flock(2)). It ends with its
holder, however that ends, so nothing is ever left locked.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_S = 0.05
_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system says that has no such locks; NFS has them for files, not for folders."""


def _nothing() -> None:
    """Tell nobody."""


@asynccontextmanager
async def exclusively(
    path: Path, *, instead: Path | None = None, on_wait: Callable[[], None] = _nothing
) -> AsyncIterator[None]:
    """Hold *path*: a folder, or a file that is made where it is absent.

    Args:
        path: What to hold.
        instead: The file to hold where the file system of *path* has no such locks.
        on_wait: Called once if somebody else holds it.

    Raises:
        OSError: It cannot be held.
    """
    descriptor = _opened(path)
    try:
        try:
            await _hold(descriptor, on_wait)
        except OSError as error:
            if instead is None or error.errno not in _NO_LOCKS:
                raise
        else:
            yield
            return
    finally:
        os.close(descriptor)
    async with exclusively(instead, on_wait=on_wait):
        yield


def _opened(path: Path) -> int:
    if path.is_dir():
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


async def _hold(descriptor: int, on_wait: Callable[[], None]) -> None:
    """Take the lock. Asks again and again: a thread that waits in the kernel never wakes."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            on_wait = _nothing
            await asyncio.sleep(_POLL_S)
        else:
            return
