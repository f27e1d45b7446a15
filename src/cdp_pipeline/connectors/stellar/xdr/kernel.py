"""Runs the WebAssembly kernel: one instance per walk at a time, many walks in parallel.

Instances are kept and used again; one whose memory has grown large is dropped instead, since
WebAssembly memory never shrinks. A walk runs without the GIL.
"""

from __future__ import annotations

import atexit
import ctypes
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cdp_pipeline.connectors.stellar.xdr.schema import Frame, Schema, load_schema

if TYPE_CHECKING:
    import wasmtime

# Flags and status values of `kernel.c`.
WITH_JSON, MAY_END_EARLY, SKIP_PLAIN = 1, 2, 4
OK, NO_MEMORY = 0, 11

LARGEST_KEPT_BYTES = 64 * 1024 * 1024
LARGEST_OUTPUT_BYTES = 3 * 1024 * 1024 * 1024
_LARGEST_INPUT_BYTES = 0xFFFF0000


_CONTROL_WORDS = (
    "schema input input_length root mode output_limit output output_length spans span_count "
    "position detail bound node frames frame_count"
)


class _Control(ctypes.LittleEndianStructure):
    """The block through which host and kernel talk; the same words as in `kernel.c`."""

    _fields_ = tuple((word, ctypes.c_uint32) for word in _CONTROL_WORDS.split())


@dataclass(frozen=True)
class Outcome:
    """What one walk found.

    Attributes:
        status: `OK`, or the reason why the kernel stopped (`enum Status` of `kernel.c`).
        position: End of the value; on error where the offending item starts.
        json: The SEP-51 JSON, empty if not asked for.
        spans: (node, start, end) in order of entry.
        detail: On error, the value found there.
        bound: On error, the most that is allowed.
        node: On error, the innermost type.
        frames: On error, the values around it, outermost first.
    """

    status: int
    position: int
    json: bytes = b""
    spans: tuple[tuple[int, int, int], ...] = ()
    detail: int = 0
    bound: int = 0
    node: int = 0
    frames: tuple[Frame, ...] = ()


class Kernel:
    """One instance of the kernel with its memory; not for use by two threads at once."""

    def __init__(self, schema: Schema) -> None:
        import wasmtime

        engine, module = _compiled()
        self._store = wasmtime.Store(engine)
        exports: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._reserve, self._select, self._run = (exports[n] for n in ("reserve", "select", "run"))
        self._memory = exports["memory"]
        self._control_at: int = exports["control"](self._store)
        self._selected: frozenset[int] = frozenset()
        exports["prepare"](self._store, len(schema.data))
        self._find_memory()
        self._write(self._control.schema, memoryview(schema.data))
        exports["attach"](self._store)

    @property
    def memory_bytes(self) -> int:
        """Size of the linear memory."""
        return self._size

    def walk(
        self, xdr: memoryview, root: int, selected: frozenset[int], mode: int, output_limit: int
    ) -> Outcome:
        """Walk one value of type *root*; spans of the *selected* types are recorded."""
        if not self._make_room(len(xdr)):
            return Outcome(NO_MEMORY, 0, node=root)
        self._choose(selected)
        control = self._control
        self._write(control.input, xdr)
        control.input_length, control.root, control.mode = len(xdr), root, mode
        control.output_limit = output_limit
        status = self._run(self._store)
        self._find_memory()
        return self._failure(status) if status else self._success()

    def _make_room(self, size_bytes: int) -> bool:
        if self._control.input + size_bytes > self._size:
            if size_bytes > _LARGEST_INPUT_BYTES or not self._reserve(self._store, size_bytes):
                return False
            self._find_memory()
        return True

    def _choose(self, selected: frozenset[int]) -> None:
        for node in self._selected ^ selected:
            self._select(self._store, node, int(node in selected))
        self._selected = selected

    def _find_memory(self) -> None:
        # Memory may move when it grows, so addresses are taken anew after every such call.
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        self._size: int = self._memory.data_len(self._store)
        self._control = _Control.from_address(self._base + self._control_at)

    def _write(self, at: int, data: memoryview) -> None:
        if data:
            room = (ctypes.c_ubyte * len(data)).from_address(self._base + at)
            memoryview(room).cast("B")[:] = data

    def _read(self, at: int, size_bytes: int) -> bytes:
        return ctypes.string_at(self._base + at, size_bytes)

    def _success(self) -> Outcome:
        control = self._control
        records = self._read(control.spans, 12 * control.span_count)
        return Outcome(
            OK,
            control.position,
            json=self._read(control.output, control.output_length),
            spans=tuple(struct.iter_unpack("<3I", records)),
        )

    def _failure(self, status: int) -> Outcome:
        control = self._control
        frames = self._read(control.frames, 16 * control.frame_count)
        return Outcome(
            status,
            control.position,
            detail=control.detail,
            bound=control.bound,
            node=control.node,
            frames=tuple(Frame(*row) for row in struct.iter_unpack("<4I", frames)),
        )


_idle: deque[Kernel] = deque()


@contextmanager
def borrowed_kernel() -> Iterator[Kernel]:
    """A kernel of one's own for the length of the block.

    It is not used again after an exception, nor with more than `LARGEST_KEPT_BYTES` of memory.
    """
    try:
        kernel = _idle.pop()
    except IndexError:
        kernel = Kernel(load_schema())
    yield kernel
    if kernel.memory_bytes <= LARGEST_KEPT_BYTES:
        _idle.append(kernel)


@cache
def _compiled() -> tuple[wasmtime.Engine, wasmtime.Module]:
    # Imported here: programs that never decode do not pay for the import and the compilation.
    import wasmtime

    engine = wasmtime.Engine()
    code = files(__package__).joinpath("kernel.wasm").read_bytes()
    return engine, wasmtime.Module(engine, code)


@atexit.register
def _release() -> None:
    # Before the interpreter takes apart the modules that the destructors of these need.
    _idle.clear()
    _compiled.cache_clear()
