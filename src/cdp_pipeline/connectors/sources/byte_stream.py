"""Read a file, a pipe or standard input on a thread of its own: the event loop never waits.

The thread reads ahead a few chunks and no more, and can always be stopped: it waits only in
`poll`, which a byte on a pipe of ours ends.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import threading
from collections import deque
from contextlib import suppress

STDIN = "-"
_CHUNK_BYTES = 1 << 20
_CHUNKS_AHEAD = 4


class ByteStream:
    """The bytes of *path*, or of standard input where it is `-`.

    Used from one event loop: `read` until it gives no bytes, then `close`.
    """

    def __init__(
        self, path: str, *, chunk_bytes: int = _CHUNK_BYTES, chunks_ahead: int = _CHUNKS_AHEAD
    ) -> None:
        self._path = path
        self._chunk_bytes = chunk_bytes
        self._chunks_ahead = chunks_ahead
        self._chunks: deque[bytes | OSError] = deque()
        self._room = threading.Condition()
        self._stopped = False
        self._ended = False
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake = (-1, -1)

    @property
    def ready(self) -> bool:
        """Whether `read` would answer at once."""
        return bool(self._chunks) or self._ended

    async def read(self) -> bytes:
        """Return the next bytes, as many as have come; none at the end.

        Raises:
            OSError: The path cannot be opened or read.
        """
        if self._thread is None:
            self._begin()
        while not self._chunks:
            if self._ended:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        chunk = self._chunks.popleft()
        with self._room:
            self._room.notify()
        if isinstance(chunk, OSError):
            self._ended = True
            raise chunk
        self._ended = not chunk
        return chunk

    async def close(self) -> None:
        """Stop the thread; what was not read yet is dropped."""
        if self._thread is None:
            return
        with self._room:
            self._stopped = True
            self._room.notify()
        with suppress(OSError):
            os.write(self._wake[1], b"x")
        await asyncio.to_thread(self._thread.join)
        for descriptor in self._wake:
            os.close(descriptor)
        self._thread = None
        self._ended = True

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="byte-stream", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            descriptor = self._open()
        except OSError as error:
            self._give(error)
            return
        try:
            while self._read_one(descriptor):
                pass
        except OSError as error:
            self._give(error)
        finally:
            if self._path != STDIN:
                os.close(descriptor)

    def _open(self) -> int:
        if self._path == STDIN:
            return 0
        if stat.S_ISDIR(os.stat(self._path).st_mode):
            raise IsADirectoryError(21, "is a folder", self._path)
        # Without O_NONBLOCK, opening a pipe that nobody writes to could not be stopped.
        return os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def _read_one(self, descriptor: int) -> bool:
        """Read one chunk; return whether there may be more."""
        with self._room:
            self._room.wait_for(lambda: self._stopped or len(self._chunks) < self._chunks_ahead)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
        poll.register(self._wake[0], select.POLLIN)
        poll.poll()
        if self._stopped:
            return False
        try:
            chunk = os.read(descriptor, self._chunk_bytes)
        except BlockingIOError:
            return True
        self._give(chunk)
        return bool(chunk)

    def _give(self, chunk: bytes | OSError) -> None:
        self._chunks.append(chunk)
        loop = self._loop
        # A loop that is gone has no reader to wake.
        with suppress(RuntimeError):
            if loop is not None:
                loop.call_soon_threadsafe(self._arrived.set)
