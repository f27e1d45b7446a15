"""A guest that is a core module: bytes through its linear memory.

Source: `spec/wasm-abi.md`, sections 1 and 2. Every address and size that a guest gives is
checked against its memory as it is at that moment; nothing outside it is ever touched.
"""

from __future__ import annotations

import ctypes

import wasmtime

from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.wasm.answer import RECORD, Answer, Status
from cdp_pipeline.runtimes.wasm.exported import (
    ExportedFunction,
    ExportedProcedure,
    Signature,
    require_signature,
)
from cdp_pipeline.runtimes.wasm.faults import AnswerInvalid, MemoryExceeded, OutputTooLarge
from cdp_pipeline.runtimes.wasm.guest import FAILURE_S, Cell

_I32 = ("i32",)
_GIVES: Signature = ((), _I32)
_TAKES: Signature = (("i32", "i32"), _I32)
SIGNATURES: dict[str, Signature] = {
    "alloc": (_I32, _I32),
    "metadata": _GIVES,
    "configure": _TAKES,
    "start": _TAKES,
    "process": _TAKES,
    "process_batch": _TAKES,
    "health": _GIVES,
    "stop": _GIVES,
    "export_state": _GIVES,
    "import_state": _TAKES,
    "failure": _GIVES,
    "_initialize": ((), ()),
}
"""Every function that the ABI knows."""

_LARGEST_INPUT_BYTES = 0x7FFF0000


def check_exports(module: wasmtime.Module, where: str) -> frozenset[str]:
    """Return the functions of the ABI that *module* exports.

    Raises:
        ArtifactError: plugin.export_missing or plugin.export_invalid.
    """
    found = {export.name: export.type for export in module.exports}
    if "_start" in found and "_initialize" not in found:
        raise _missing(
            "expected a plugin, got a program: it exports `_start`", where, "build it as a reactor"
        )
    if not isinstance(found.get("memory"), wasmtime.MemoryType):
        raise _missing("expected the export `memory`, a memory", where)
    for name, expected in SIGNATURES.items():
        if name in found:
            require_signature(name, found[name], expected, where)
    for names in (("alloc",), ("metadata",), ("process_batch", "process")):
        if not found.keys() & set(names):
            wanted = " or ".join(f"`{name}`" for name in names)
            raise _missing(f"expected the export {wanted}, a function", where)
    return frozenset(found.keys() & SIGNATURES.keys())


def _missing(message: str, where: str, what: str = "export it") -> ArtifactError:
    return ArtifactError(
        message,
        code="plugin.export_missing",
        where=where,
        hint=f"{what}; see spec/wasm-abi.md, section 1, or use an SDK",
    )


class CoreGuest:
    """One instance of a core module."""

    def __init__(self, cell: Cell, instance: wasmtime.Instance, exports: frozenset[str]) -> None:
        self.exports = exports
        self._cell = cell
        members = instance.exports(cell.store)
        memory = members["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory
        self._functions = {
            name: _exported(cell.store, members[name], SIGNATURES[name]) for name in exports
        }

    @property
    def memory_bytes(self) -> int:
        """Size of its linear memory."""
        return self._memory.data_len(self._cell.store)

    def initialize(self, timeout_s: float) -> None:
        """Let it prepare itself, if it wants to."""
        if "_initialize" in self.exports:
            with self._cell.timed(timeout_s):
                self._invoke("_initialize", timeout_s)

    def call(self, name: str, data: bytes | None, timeout_s: float, messages: int = 0) -> Answer:
        """Return what function *name* answers; see `Guest`."""
        with self._cell.timed(timeout_s, messages):
            if data is None:
                at = self._invoke(name, timeout_s)
            else:
                address = self._put(data, name, timeout_s)
                at = self._invoke(name, timeout_s, address, len(data))
            return self._answer(at, name)

    def _invoke(self, name: str, timeout_s: float, *values: int) -> int:
        try:
            return self._functions[name](*values)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise self._cell.fault(error, f"`{name}`", timeout_s, self._failure) from error

    def _failure(self) -> Answer | None:
        """Ask the guest, which has trapped, what it knows of it."""
        if "failure" not in self.exports:
            return None
        try:
            with self._cell.timed(FAILURE_S):
                told = self._answer(self._functions["failure"](), "failure")
        except (wasmtime.Trap, wasmtime.WasmtimeError, AnswerInvalid, OutputTooLarge):
            return None
        return told if told.data or told.status else None

    def _put(self, data: bytes, name: str, timeout_s: float) -> int:
        """Write *data* where the guest wants it; return the address."""
        size = len(data)
        if size > _LARGEST_INPUT_BYTES:
            raise MemoryExceeded(f"expected at most {_LARGEST_INPUT_BYTES} bytes, got {size}")
        address = self._invoke("alloc", timeout_s, size)
        if not address:
            who = self._cell.reference
            raise MemoryExceeded(f"plugin `{who}` has no room for {size} bytes of `{name}`")
        base, end = self._span()
        if address + size > end:
            raise self._outside("alloc", address, size, end)
        ctypes.memmove(base + address, data, size)
        return address

    def _answer(self, at: int, name: str) -> Answer:
        base, end = self._span()
        if at + RECORD.size > end:
            raise self._outside(name, at, RECORD.size, end)
        status, address, size = RECORD.unpack(ctypes.string_at(base + at, RECORD.size))
        if status > Status.NO_MEMORY or (status == Status.NO_MEMORY and name != "failure"):
            raise AnswerInvalid(
                f"plugin `{self._cell.reference}` answered `{name}` with the status {status}, "
                "expected one from 0 to 5"
            )
        if not size:
            return Answer(status, b"")
        if address + size > end:
            raise self._outside(name, address, size, end)
        limit = self._cell.limits.output_bytes
        if size > limit:
            who = self._cell.reference
            raise OutputTooLarge(
                f"plugin `{who}` answered `{name}` with {size} bytes, the most is {limit}"
            )
        return Answer(status, ctypes.string_at(base + address, size))

    def _span(self) -> tuple[int, int]:
        """Return where the memory is now, and its size; it may have moved in any call."""
        store = self._cell.store
        size = self._memory.data_len(store)
        base = ctypes.addressof(self._memory.data_ptr(store).contents) if size else 0
        return base, size

    def _outside(self, name: str, address: int, size: int, end: int) -> AnswerInvalid:
        return AnswerInvalid(
            f"plugin `{self._cell.reference}` gave, for `{name}`, {size} bytes at address "
            f"{address}; its memory has {end} bytes"
        )


def _exported(store: wasmtime.Store, found: object, signature: Signature) -> ExportedFunction:
    assert isinstance(found, wasmtime.Func)
    parameters, results = signature
    kind = ExportedFunction if results else ExportedProcedure
    return kind(store, found, len(parameters))
