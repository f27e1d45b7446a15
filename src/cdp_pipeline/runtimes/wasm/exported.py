"""Call an exported function of a core module without the cost of the library's own call.

`wasmtime.Func.__call__` asks for the function's type and builds its arguments anew on each
call, which takes longer than most guests do. Here both are done once. Nothing here raises
what another thread's host function has raised: host functions of this host never raise.
"""

from __future__ import annotations

import ctypes
from typing import Any

import wasmtime
from wasmtime import _bindings as bindings
from wasmtime import _ffi as ffi

from cdp_pipeline.errors import ArtifactError

Signature = tuple[tuple[str, ...], tuple[str, ...]]


class ExportedFunction:
    """A function whose parameters, and result if it has one, are `i32`.

    Not for use by two threads at once, as its store is not.
    """

    __slots__ = ("_arguments", "_context", "_function", "_results", "_trap")

    def __init__(self, store: wasmtime.Store, function: wasmtime.Func, parameters: int) -> None:
        self._context = store._context()
        self._function = function._func
        self._arguments = (ffi.wasmtime_val_t * parameters)()
        for argument in self._arguments:
            argument.kind = ffi.WASMTIME_I32
        self._results = (ffi.wasmtime_val_t * 1)()
        self._trap = ctypes.POINTER(ffi.wasm_trap_t)()

    def __call__(self, *values: int) -> int:
        """Return what the guest gives, as an unsigned number.

        Raises:
            wasmtime.Trap: The guest trapped.
            wasmtime.WasmtimeError: It ended itself.
        """
        for argument, value in zip(self._arguments, values, strict=True):
            argument.of.i32 = value
        error = bindings._wasmtime_func_call(
            self._context,
            ctypes.byref(self._function),
            self._arguments,
            len(self._arguments),
            self._results,
            self._count,
            ctypes.byref(self._trap),
        )
        if error or self._trap:
            self._raise(error)
        return int(self._results[0].of.i32) & 0xFFFFFFFF

    _count = 1

    def _raise(self, error: Any) -> None:
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)
        trap, self._trap = self._trap, ctypes.POINTER(ffi.wasm_trap_t)()
        raise wasmtime.Trap._from_ptr(trap)


class ExportedProcedure(ExportedFunction):
    """The same without a result."""

    __slots__ = ()

    _count = 0


def signature_of(kind: wasmtime.FuncType) -> Signature:
    """Return the types of parameters and results by name."""
    return tuple(map(str, kind.params)), tuple(map(str, kind.results))


def require_signature(name: str, kind: Any, expected: Signature, where: str) -> None:
    """Refuse an export that is not the function that the ABI says.

    Raises:
        ArtifactError: plugin.export_invalid.
    """
    found = signature_of(kind) if isinstance(kind, wasmtime.FuncType) else None
    if found == expected:
        return
    is_what = "something else" if found is None else f"`{_text(found)}`"
    raise ArtifactError(
        f"expected the export `{name}` to be a function `{_text(expected)}`, got {is_what}",
        code="plugin.export_invalid",
        where=where,
        hint="see spec/wasm-abi.md, section 1; the SDKs export what is needed",
    )


def _text(signature: Signature) -> str:
    parameters, results = signature
    return f"({', '.join(parameters)}) -> ({', '.join(results)})"
