"""A guest that was made for Extism: bytes through a memory that is neither its own nor the host's.

Source: `spec/wasm-abi.md`, section 8; the functions of `extism:host/env` as Extism's kits
import them (PDK 1.x). The memory and all that works on it alone is `extism_kernel.wat`, one
instance for each guest, so that a guest's calls do not leave WebAssembly. Configuration,
variables and log lines are the host's functions, which never raise.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import wasmtime

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.wasm.answer import Answer, Status, instructed
from cdp_pipeline.runtimes.wasm.core import SIGNATURES
from cdp_pipeline.runtimes.wasm.exported import ExportedFunction, signature_of
from cdp_pipeline.runtimes.wasm.faults import (
    AnswerInvalid,
    GuestFault,
    MemoryExceeded,
    NetworkRefused,
    OutputTooLarge,
)
from cdp_pipeline.runtimes.wasm.guest import Cell
from cdp_pipeline.runtimes.wasm.imports import EXTISM, function_type, log_line
from cdpplugin import decode_json, encode_json

MEMORIES = 2
"""The guest's own, and the one it shares with its host."""

_NAMES = frozenset(SIGNATURES) - {"alloc", "failure", "_initialize"}
_CALLED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = dict.fromkeys(
    _NAMES, ((), ("i32",))
)
_PREPARING = ("_initialize", "__wasm_call_ctors")
_LOGS = {
    "log_trace": "debug",
    "log_debug": "debug",
    "log_info": "info",
    "log_warn": "warning",
    "log_error": "error",
}
_LIMIT_BYTES = 1 << 20
"""Longest key, value or log line that is looked at."""
_LOG_LEVEL_DEBUG = 1


def is_extism(module: wasmtime.Module) -> bool:
    """Tell a module that was made for Extism."""
    return any(wanted.module == EXTISM for wanted in module.imports)


def check_extism(module: wasmtime.Module, where: str) -> frozenset[str]:
    """Return the functions of the ABI that *module* exports.

    Raises:
        ArtifactError: plugin.export_missing.
    """
    found = {
        export.name
        for export in module.exports
        if isinstance(export.type, wasmtime.FuncType)
        and signature_of(export.type) == _CALLED.get(export.name)
    }
    for names in (("metadata",), ("process", "process_batch")):
        if not found & set(names):
            raise ArtifactError(
                f"expected the module, made for Extism, to export `{names[0]}`, a function "
                "`() -> (i32)`",
                code="plugin.export_missing",
                where=where,
                hint="see spec/wasm-abi.md, section 8",
            )
    return frozenset(found)


class ExtismGuest:
    """One instance of a module made for Extism."""

    def __init__(
        self,
        cell: Cell,
        module: wasmtime.Module,
        linker: wasmtime.Linker,
        lines: LogLines,
        exports: frozenset[str],
    ) -> None:
        self._cell = cell
        self._shared = _Shared(cell, lines)
        self._shared.define(linker)
        instance = linker.instantiate(cell.store, module)
        members = instance.exports(cell.store)
        self._functions: dict[str, ExportedFunction] = {}
        for name in exports:
            member: object = members[name]
            assert isinstance(member, wasmtime.Func)
            self._functions[name] = ExportedFunction(cell.store, member, 0)
        for name in _PREPARING:
            prepare = members.get(name)
            if isinstance(prepare, wasmtime.Func):
                prepare(cell.store)
                break
        own = members.get("memory")
        self._memory = own if isinstance(own, wasmtime.Memory) else None
        self.exports = exports | {"configure"}

    @property
    def memory_bytes(self) -> int:
        """Size of its memories together."""
        own = self._memory.data_len(self._cell.store) if self._memory else 0
        return own + self._shared.size_bytes

    def call(self, name: str, data: bytes | None, timeout_s: float, messages: int = 0) -> Answer:
        """Return what function *name* answers; see `Guest`."""
        if name == "configure":
            self._shared.config = _texts(data or b"{}")
            if name not in self._functions:
                return Answer(Status.OK, b"")
        with self._cell.timed(timeout_s, messages):
            try:
                self._shared.begin(data or b"")
                code = self._functions[name]()
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise self._fault(error, name, timeout_s) from error
            if code == 0:
                return Answer(Status.OK, self._shared.output())
            text = self._shared.error()
            return instructed(text or f"`{name}` returned {code}".encode())

    def _fault(self, error: Exception, name: str, timeout_s: float) -> GuestFault:
        who = f"plugin `{self._cell.reference}`"
        if self._shared.flag("is_refused"):
            return NetworkRefused(f"{who} asked for the network in `{name}`")
        if self._shared.flag("is_full"):
            return MemoryExceeded(f"{who} asked in `{name}` for more memory than it may have")
        return self._cell.fault(error, f"`{name}`", timeout_s)


class _Shared:
    """The memory that guest and host share, and the host's functions on it."""

    def __init__(self, cell: Cell, lines: LogLines) -> None:
        self.config: Mapping[str, bytes] = {}
        self._variables: dict[bytes, bytes] = {}
        self._cell: Cell = weakref.proxy(cell)
        self._lines = lines
        kernel = wasmtime.Instance(cell.store, cell.engine.own_module("extism_kernel.wat"), [])
        members: Any = kernel.exports(cell.store)
        self._members = {name: members[name] for name in members}
        self._memory: wasmtime.Memory = members["memory"]

    def define(self, linker: wasmtime.Linker) -> None:
        """Let a guest import all of it."""
        for name, member in self._members.items():
            if isinstance(member, wasmtime.Func) and name != "begin":
                linker.define(self._cell.store, EXTISM, name, member)
        define = linker.define_func
        for name, level in _LOGS.items():
            define(EXTISM, name, function_type("i64", ""), self._logging(level), True)
        define(EXTISM, "get_log_level", function_type("", "i32"), lambda: _LOG_LEVEL_DEBUG)
        define(EXTISM, "config_get", function_type("i64", "i64"), self._config_get, True)
        define(EXTISM, "var_get", function_type("i64", "i64"), self._var_get, True)
        define(EXTISM, "var_set", function_type("i64 i64", ""), self._var_set, True)

    @property
    def size_bytes(self) -> int:
        """Size of the memory."""
        return self._memory.data_len(self._cell.store)

    def begin(self, data: bytes) -> None:
        """Begin a call with the input *data*.

        Raises:
            MemoryExceeded: There is no room for it.
        """
        store = self._cell.store
        at = self._members["begin"](store, len(data)) & 0xFFFFFFFF
        if not data:
            return
        if not at:
            who = self._cell.reference
            raise MemoryExceeded(f"plugin `{who}` has no room for {len(data)} bytes")
        ctypes.memmove(self._base(store) + at, data, len(data))

    def output(self) -> bytes:
        """Return what the guest has set as its output.

        Raises:
            AnswerInvalid: It lies outside of the memory.
            OutputTooLarge: It is larger than it may be.
        """
        at, size = self._number("output_at"), self._number("output_size")
        limit = self._cell.limits.output_bytes
        who = f"plugin `{self._cell.reference}`"
        if at + size > self.size_bytes:
            raise AnswerInvalid(f"{who} set {size} bytes at address {at} as its output")
        if size > limit:
            raise OutputTooLarge(f"{who} answered with {size} bytes, the most is {limit}")
        return ctypes.string_at(self._base(self._cell.store) + at, size) if size else b""

    def error(self) -> bytes:
        """Return the error text that the guest has set, or nothing."""
        return self._block(self._cell.store, self._number("error_at")) or b""

    def flag(self, name: str) -> bool:
        """Tell whether the kernel has noted something."""
        return bool(self._members[name].value(self._cell.store))

    def _number(self, name: str) -> int:
        return int(self._members[name].value(self._cell.store)) & 0xFFFFFFFFFFFFFFFF

    def _base(self, store: Any) -> int:
        return ctypes.addressof(self._memory.data_ptr(store).contents)

    def _block(self, store: Any, at: int) -> bytes | None:
        """Return the block at *at*; None where there is none."""
        at &= 0xFFFFFFFFFFFFFFFF
        end = self._memory.data_len(store)
        if not 8 <= at <= end:
            return None
        size = int.from_bytes(ctypes.string_at(self._base(store) + at - 8, 8), "little")
        if at + size > end or size > _LIMIT_BYTES:
            return None
        return ctypes.string_at(self._base(store) + at, size)

    def _given(self, caller: wasmtime.Caller, value: bytes | None) -> int:
        """Return a new block that holds *value*, 0 for None or where there is no room."""
        if not value:
            return 0
        at = int(self._members["alloc"](caller, len(value)))
        if at:
            ctypes.memmove(self._base(caller) + at, value, len(value))
        return at

    def _config_get(self, caller: wasmtime.Caller, key: int) -> int:
        with suppress(Exception):
            name = (self._block(caller, key) or b"").decode()
            return self._given(caller, self.config.get(name))
        return 0

    def _var_get(self, caller: wasmtime.Caller, key: int) -> int:
        with suppress(Exception):
            return self._given(caller, self._variables.get(self._block(caller, key) or b""))
        return 0

    def _var_set(self, caller: wasmtime.Caller, key: int, value: int) -> None:
        with suppress(Exception):
            name, held = self._block(caller, key), self._block(caller, value)
            if name is None:
                return
            room = _LIMIT_BYTES - sum(map(len, self._variables.values()))
            if not held:
                self._variables.pop(name, None)
            elif len(held) <= room:
                self._variables[name] = held

    def _logging(self, level: str) -> Callable[..., None]:
        def log(caller: wasmtime.Caller, at: int) -> None:
            with suppress(Exception):
                self._lines.feed("stderr", log_line(level, self._block(caller, at) or b"") + b"\n")

        return log


def _texts(config: bytes) -> Mapping[str, bytes]:
    """Return each member of *config* as text: texts as they are, anything else as JSON."""
    found = decode_json(config)
    return {
        key: value.encode() if isinstance(value, str) else encode_json(value)
        for key, value in found.items()
    }
