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
from cdp_pipeline.runtimes.wasm.exported import ExportedFunction

STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}
_OK, _BAD_DESCRIPTOR, _FAULT, _IO = 0, 8, 21, 29
"""Error numbers of WASI preview 1."""
_MOST_PIECES = 1024
_MOST_BYTES = 1 << 20
"""A call writes no more than this; the guest calls again for the rest."""
_PAGE_BYTES = 1 << 16
"""A call writes no more than this to a file."""
_SETTLE_S = 0.2


class FileWriter:
    """Writes to what a guest has been granted, beside its own memory.

    It keeps no store alive: a store's functions must not.
    """

    MEMORIES = 1

    def __init__(
        self, store: wasmtime.Store, linker: wasmtime.Linker, module: wasmtime.Module
    ) -> None:
        """Make *module*, `file_writer.wat`, with the WASI of *linker*.

        Args:
            store: The guest's.
            linker: It must have WASI's own `fd_write` still.
            module: The module.
        """
        members = linker.instantiate(store, module).exports(store)
        write, memory = members["write"], members["memory"]
        assert isinstance(write, wasmtime.Func)
        assert isinstance(memory, wasmtime.Memory)
        self._write = ExportedFunction(store, write, 2)
        base = ctypes.addressof(memory.data_ptr(store).contents)
        self._told, self._bytes = base + 8, base + _PAGE_BYTES

    def write(self, descriptor: int, data: bytes) -> tuple[int, int]:
        """Write to *descriptor*; return WASI's error number and how many bytes it took."""
        data = data[:_PAGE_BYTES]
        ctypes.memmove(self._bytes, data, len(data))
        try:
            errno = self._write(descriptor, len(data))
        except (wasmtime.Trap, wasmtime.WasmtimeError):  # Its time is over: the guest's is, too.
            return _IO, 0
        return errno, int.from_bytes(ctypes.string_at(self._told, 4), "little")


def fd_write(
    writer: FileWriter | None, lines: LogLines, *, stdout_is_granted: bool
) -> Callable[..., int]:
    """Return WASI's `fd_write` that prints to *lines*; *writer* writes to everything else."""
    streams = {2: STREAMS[2]} if stdout_is_granted else STREAMS

    def written(descriptor: int, data: bytes) -> tuple[int, int]:
        if descriptor not in streams:
            return writer.write(descriptor, data) if writer else (_BAD_DESCRIPTOR, 0)
        with suppress(Exception):
            lines.feed(streams[descriptor], data)
        return _OK, len(data)

    def write(caller: wasmtime.Caller, descriptor: int, pieces: int, count: int, told: int) -> int:
        data = _gathered(caller, pieces, count)
        if data is None:
            return _FAULT
        errno, size = written(descriptor, data)
        if errno != _OK:
            return errno
        return _OK if put(caller, told, size.to_bytes(4, "little")) else _FAULT

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
