"""A container's standard streams over one connection to the engine.

As long as it is held the container's standard input is open; it ends with the host.
Source: Docker Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from cdp_pipeline.runtimes.processes.logs import Stream

_HEADER = struct.Struct(">BxxxL")
_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}
_CHUNK_BYTES = 65536


class Attachment:
    """The streams of one container that is not started yet."""

    def __init__(self, container: Any) -> None:
        wanted = dict.fromkeys(("stdin", "stdout", "stderr", "stream"), 1)
        self._file: Any = container.attach_socket(params=wanted)
        self._response: Any = getattr(self._file, "_response", None)
        self._socket: socket.socket = getattr(self._file, "_sock", self._file)
        self._socket.settimeout(None)

    def output(self) -> Iterator[tuple[Stream, bytes]]:
        """Yield what the container prints, until it has ended or this is closed."""
        while len(header := self._read(_HEADER.size)) == _HEADER.size:
            number, size = _HEADER.unpack(header)
            while size and (data := self._socket.recv(min(size, _CHUNK_BYTES))):
                yield _STREAMS.get(number, "stdout"), data
                size -= len(data)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._socket.recv(size - len(data))):
            data += more
        return data

    def close(self) -> None:
        """Let go of the container: its standard input ends."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for held in (self._response, self._file):
            if held is not None:
                with suppress(OSError, ValueError):
                    held.close()
