"""What a guest may import, and nothing else: `cdp`, and WASI with nothing behind it.

Source: `spec/wasm-abi.md`, section 9. A host function never raises: the library keeps the
exception of one thread where another one finds it. What it cannot do it says by a status.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import wasmtime
import wasmtime.component

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.wasm.clock import Clock, poll, subscriptions_size
from cdp_pipeline.runtimes.wasm.printing import FileWriter, fd_write, put, take
from cdpplugin import encode_json

WASI = "wasi_snapshot_preview1"
HOST = "cdp"
EXTISM = "extism:host/env"

_LEVELS = ("debug", "info", "warning", "error")
_LOG_LIMIT_BYTES = 1 << 16

# Error numbers of WASI preview 1.
_OK, _FAULT, _INVALID = 0, 21, 28


def check_imports(module: wasmtime.Module, where: str) -> None:
    """Refuse a module that wants of its host what it does not have.

    Raises:
        ArtifactError: plugin.import_unknown.
    """
    for wanted in module.imports:
        name = f"{wanted.module}.{wanted.name}"
        if wanted.module in (WASI, EXTISM) or name == f"{HOST}.log":
            continue
        raise unknown_import(name, where)


def unknown_import(name: str, where: str, said: str = "") -> ArtifactError:
    """Return the error for an import that no guest is given."""
    return ArtifactError(
        f"the module imports `{name}`, which no plugin is given{f': {said}' if said else ''}",
        code="plugin.import_unknown",
        where=where,
        hint="plugins reach neither the network nor the machine; see spec/wasm-abi.md, section 9",
    )


def core_linker(
    store: wasmtime.Store,
    lines: LogLines,
    clock: Clock,
    file_writer: wasmtime.Module | None,
    *,
    stdout_is_granted: bool,
) -> wasmtime.Linker:
    """Return what a core module is linked against in *store*.

    Args:
        store: The store of its instance.
        lines: Where goes what it prints.
        clock: The clock that it sees.
        file_writer: `file_writer.wat`, where it may write to anything else.
        stdout_is_granted: Whether its standard output is the host's.
    """
    linker = wasmtime.Linker(store.engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    writer = FileWriter(store, linker, file_writer) if file_writer else None
    define = linker.define_func
    define(HOST, "log", function_type("i32 i32 i32", ""), _logging(lines), access_caller=True)
    define(
        WASI,
        "clock_time_get",
        function_type("i32 i64 i32", "i32"),
        _clock_reading(clock),
        access_caller=True,
    )
    define(
        WASI,
        "poll_oneoff",
        function_type("i32 i32 i32 i32", "i32"),
        _polling(clock),
        access_caller=True,
    )
    define(
        WASI,
        "fd_write",
        function_type("i32 i32 i32 i32", "i32"),
        fd_write(writer, lines, stdout_is_granted=stdout_is_granted),
        access_caller=True,
    )
    return linker


def function_type(parameters: str, results: str) -> wasmtime.FuncType:
    """Return a function type, a new one each time: each belongs to the first engine it meets."""
    kinds = {"i32": wasmtime.ValType.i32, "i64": wasmtime.ValType.i64}
    return wasmtime.FuncType(
        [kinds[name]() for name in parameters.split()], [kinds[name]() for name in results.split()]
    )


def component_linker(engine: wasmtime.Engine) -> wasmtime.component.Linker:
    """Return what a component is linked against."""
    linker = wasmtime.component.Linker(engine)
    linker.add_wasip2()
    return linker


def _logging(lines: LogLines) -> Callable[..., None]:
    def log(caller: wasmtime.Caller, level: int, address: int, size: int) -> None:
        data = take(caller, address, min(size & 0xFFFFFFFF, _LOG_LIMIT_BYTES))
        if data is None:
            return
        with suppress(Exception):
            named = _LEVELS[min(max(level, 0), len(_LEVELS) - 1)]
            lines.feed("stderr", log_line(named, data) + b"\n")

    return log


def log_line(level: str, data: bytes) -> bytes:
    """Return a log line; a JSON object keeps its members and gets the level."""
    if data.startswith(b"{") and data.endswith(b"}") and b"\n" not in data:
        return b'{"level":"' + level.encode() + b'",' + data[1:] if data != b"{}" else data
    return encode_json({"level": level, "message": data.decode(errors="replace")})


def _clock_reading(clock: Clock) -> Callable[..., int]:
    def clock_time_get(caller: wasmtime.Caller, clock_id: int, _: int, address: int) -> int:
        now = clock.now_ns(clock_id).to_bytes(8, "little")
        return _OK if put(caller, address, now) else _FAULT

    return clock_time_get


def _polling(clock: Clock) -> Callable[..., int]:
    def poll_oneoff(
        caller: wasmtime.Caller, asked: int, told: int, count: int, told_at: int
    ) -> int:
        size = subscriptions_size(count)
        if size < 0:
            return _INVALID
        subscriptions = take(caller, asked, size)
        if subscriptions is None:
            return _FAULT
        events = poll(subscriptions, clock)
        number = (len(events) // 32).to_bytes(4, "little")
        done = put(caller, told, events) and put(caller, told_at, number)
        return _OK if done else _FAULT

    return poll_oneoff
