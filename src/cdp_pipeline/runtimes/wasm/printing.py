"""What guests print becomes log lines, without wasmtime calling Python on threads of its own.

Its own way to hand over output calls back from a thread that goes on after the guest was ended.
One that does so while the interpreter ends takes the process down with it. So a core module's
`fd_write` for standard output and error is a function of this host, called on the guest's own
thread; and a component, whose streams cannot be replaced, prints into a pipe.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import wasmtime

from cdp_pipeline.runtimes.processes.logs import LogLines, LogPump, Stream

STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}
_OK, _FAULT = 0, 21
"""Error numbers of WASI preview 1."""
_MOST_PIECES = 1024
_MOST_BYTES = 1 << 20
"""A call writes no more than this; the guest calls again for the rest."""
_SETTLE_S = 0.2


def fd_write(
    original: wasmtime.Func, lines: LogLines, *, stdout_is_granted: bool
) -> Callable[..., int]:
    """Return WASI's `fd_write` that prints to *lines*; *original* writes to everything else."""
    streams = {2: STREAMS[2]} if stdout_is_granted else STREAMS

    def write(caller: wasmtime.Caller, descriptor: int, pieces: int, count: int, told: int) -> int:
        stream = streams.get(descriptor)
        if stream is None:
            return int(original(caller, descriptor, pieces, count, told))
        data = _gathered(caller, pieces, count)
        if data is None:
            return _FAULT
        with suppress(Exception):
            lines.feed(stream, data)
        return _OK if put(caller, told, len(data).to_bytes(4, "little")) else _FAULT

    return write


def _gathered(caller: wasmtime.Caller, at: int, count: int) -> bytes | None:
    """Return the bytes of *count* pieces, each an address and a size; None where one is outside."""
    record = take(caller, at, 8 * min(count & 0xFFFFFFFF, _MOST_PIECES))
    if record is None:
        return None
    found, left = [], _MOST_BYTES
    for address, size in struct.iter_unpack("<II", record):
        data = take(caller, address, min(size, left))
        if data is None:
            return None
        found.append(data)
        left -= len(data)
    return b"".join(found)


def take(caller: wasmtime.Caller, address: int, size: int) -> bytes | None:
    """Return *size* bytes of the caller's memory; None where they are not all in it."""
    at = _place(caller, address, size)
    return None if at is None else ctypes.string_at(at, size)


def put(caller: wasmtime.Caller, address: int, data: bytes) -> bool:
    """Write *data* into the caller's memory; False where there is no such place in it."""
    at = _place(caller, address, len(data))
    if at is not None:
        ctypes.memmove(at, data, len(data))
    return at is not None


def _place(caller: wasmtime.Caller, address: int, size: int) -> int | None:
    memory: Any = caller.get("memory")
    if not isinstance(memory, wasmtime.Memory):
        return None
    address &= 0xFFFFFFFF
    if address + size > memory.data_len(caller) or not memory.data_len(caller):
        return None
    return ctypes.addressof(memory.data_ptr(caller).contents) + address


class Pipes:
    """Where a component prints; both ends are closed when its store is gone."""

    def __init__(self, wasi: wasmtime.WasiConfig, lines: LogLines, *, stdout_is_granted: bool):
        out, err = os.pipe(), os.pipe()
        try:
            if not stdout_is_granted:
                wasi.stdout_file = f"/dev/fd/{out[1]}"
            wasi.stderr_file = f"/dev/fd/{err[1]}"
        finally:
            os.close(out[1])
            os.close(err[1])
        self._ends = (out[0], err[0])
        self._lines = lines
        LogPump(lines, *self._ends)

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed, once they have been read, if that is soon."""
        until = time.monotonic() + _SETTLE_S
        while any(map(_waiting, self._ends)) and time.monotonic() < until:
            time.sleep(0.001)
        return self._lines.last_lines


def _waiting(end: int) -> bool:
    """Tell whether anything waits in a pipe; False where it is closed already."""
    try:
        told = fcntl.ioctl(end, termios.FIONREAD, b"\0\0\0\0")
    except OSError:
        return False
    return int.from_bytes(told, "little") > 0
