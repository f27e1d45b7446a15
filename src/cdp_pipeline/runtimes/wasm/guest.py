"""One instance of a plugin, whatever it was made with: call a function, get an answer.

A guest is called by one thread at a time. A fault ends it: it must not be called again.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import wasmtime

from cdp_pipeline.runtimes.processes.ending import with_last_lines
from cdp_pipeline.runtimes.wasm import faults
from cdp_pipeline.runtimes.wasm.answer import Answer, Status
from cdp_pipeline.runtimes.wasm.clock import RealClock
from cdp_pipeline.runtimes.wasm.engine import FOREVER_TICKS, GuestEngine, ticks

DEFAULT_OUTPUT_BYTES = 256 << 20
FAILURE_S = 0.5
"""Time in which a guest that trapped may say what it knows of it."""
_MOST_ELEMENTS = 1 << 18
"""Elements of one table; each takes 8 bytes of the host's memory, outside of `limits.memory`."""
_MOST_FUEL = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestLimits:
    """What one instance may use.

    Attributes:
        memory_bytes: Its linear memory; None: as much as 32 bits address.
        fuel: Instructions for one message; None: not counted.
        output_bytes: The bytes of one answer.
    """

    memory_bytes: int | None = None
    fuel: int | None = None
    output_bytes: int = DEFAULT_OUTPUT_BYTES


class Guest(Protocol):
    """One instance.

    Attributes:
        exports: The functions it has, by the names of the ABI (`process_batch`).
    """

    exports: frozenset[str]

    def call(self, name: str, data: bytes | None, timeout_s: float, messages: int = 0) -> Answer:
        """Return what function *name* answers to *data*; None where it takes none.

        Args:
            name: One of `exports`.
            data: What it is given.
            timeout_s: Longest time, in seconds.
            messages: How many messages it works on, each with fuel of its own; with none it
                has as much as it likes.

        Raises:
            GuestFault: It did what it may not. The instance is of no more use.
        """

    @property
    def memory_bytes(self) -> int:
        """Size of its memory; 0 where that is not known."""


@dataclass
class Cell:
    """The store of one instance: its limits, its time, and why it ended.

    Attributes:
        store: wasmtime's store.
        engine: The engine whose clock counts its time.
        limits: What it may use.
        reference: `name@version` of the plugin, for messages.
        memories: How many memories it may have, which share what it may use.
        host_memories: How many small ones the host has beside them.
        last_lines: Gives the last lines it printed.
        clock: The real clock, where it sees that.
    """

    store: wasmtime.Store
    engine: GuestEngine
    limits: GuestLimits
    reference: str
    memories: int = 1
    host_memories: int = 0
    last_lines: Callable[[], list[str]] = list
    clock: RealClock | None = None

    def __post_init__(self) -> None:
        memory_bytes = self.limits.memory_bytes
        self.store.set_limits(
            memory_size=-1 if memory_bytes is None else memory_bytes // self.memories,
            table_elements=_MOST_ELEMENTS,
            instances=64,
            tables=64,
            memories=self.memories + self.host_memories,
        )
        self.store.set_epoch_deadline(FOREVER_TICKS)
        if self.clock is not None:
            # Whoever holds the clock must not keep the store: its host functions would, for ever.
            held = weakref.ref(self.store)
            self.clock.expire = lambda: _expire(held())
        if self.engine.counts_fuel:
            self.store.set_fuel(_MOST_FUEL)

    def timed(self, timeout_s: float, messages: int = 0) -> AbstractContextManager[None]:
        """Let the guest run for *timeout_s* at most, with fuel for *messages* messages, if any."""
        self.store.set_epoch_deadline(ticks(timeout_s))
        if self.clock is not None:
            self.clock.deadline = time.monotonic() + timeout_s
        if self.limits.fuel is not None:
            fuel = self.limits.fuel * messages if messages else _MOST_FUEL
            self.store.set_fuel(min(fuel, _MOST_FUEL))
        return self.engine.running()

    def fault(
        self,
        error: Exception,
        during: str,
        timeout_s: float,
        failure: Callable[[], Answer | None] = lambda: None,
    ) -> faults.GuestFault:
        """Return what *error*, which ended a call of function *during*, means.

        Args:
            error: What wasmtime raised.
            during: Name of the function.
            timeout_s: The time that it had.
            failure: Asks the guest what it knows.
        """
        who = f"plugin `{self.reference}`"
        code = error.trap_code if isinstance(error, wasmtime.Trap) else _code_of(error)
        if code is wasmtime.TrapCode.INTERRUPT:
            return faults.GuestTimeout(f"{who} did not answer {during} within {timeout_s:g} s")
        if code is wasmtime.TrapCode.OUT_OF_FUEL:
            return faults.FuelExhausted(
                f"{who} took more than {self.limits.fuel} instructions for a message in {during}"
            )
        if code is wasmtime.TrapCode.STACK_OVERFLOW:
            return faults.StackExhausted(f"{who} called itself too deeply in {during}")
        return self._trapped(error, code, during, failure)

    def _trapped(
        self,
        error: Exception,
        code: wasmtime.TrapCode | None,
        during: str,
        failure: Callable[[], Answer | None],
    ) -> faults.GuestFault:
        told = failure()
        lines = self.last_lines()
        memory = told is not None and told.status == Status.NO_MEMORY
        if memory or (told is None and _speaks_of_memory(lines, error)):
            bound = self.limits.memory_bytes or 1 << 32
            return faults.MemoryExceeded(
                f"plugin `{self.reference}` asked in {during} for more memory than the "
                f"{bound} bytes that an instance may have"
            )
        text = told.data.decode(errors="replace") if told else ""
        why = text or _why(error, code)
        message = f"plugin `{self.reference}` trapped in {during}: {why}"
        return faults.GuestTrapped(with_last_lines(message, lines))


def _expire(store: wasmtime.Store | None) -> None:
    if store is not None:
        store.set_epoch_deadline(0)


_OUT_OF_MEMORY = ("out of memory", "memory allocation of", "MemoryError", "allocation failed")
_ALLOCATION_FAILURES = (
    *("alloc_error", "rust_oom", "OutOfMemory", "out_of_memory"),
    *("__mcache_", "stackalloc", "persistentalloc"),  # Go's
)


def _speaks_of_memory(lines: Sequence[str], error: Exception) -> bool:
    """Tell whether a guest that cannot say why it ended had asked for memory in vain."""
    said = any(word in line for line in lines[-20:] for word in _OUT_OF_MEMORY)
    frames = error.frames if isinstance(error, wasmtime.Trap) else ()
    names = [frame.func_name or "" for frame in frames] or [str(error)]
    return said or any(word in name for name in names for word in _ALLOCATION_FAILURES)


def _code_of(error: Exception) -> wasmtime.TrapCode | None:
    """Return the trap of an error that a component's call gave, told by its words."""
    text = str(error)
    words = {
        "wasm trap: interrupt": wasmtime.TrapCode.INTERRUPT,
        "all fuel consumed": wasmtime.TrapCode.OUT_OF_FUEL,
        "call stack exhausted": wasmtime.TrapCode.STACK_OVERFLOW,
    }
    return next((code for word, code in words.items() if word in text), None)


_WHY_CHARACTERS = 300


def _why(error: Exception, code: Any) -> str:
    if isinstance(error, wasmtime.ExitTrap):
        return f"it ended itself with status {error.code}"
    if code is not None:
        return str(code.name).lower().replace("_", " ")
    text = " ".join(str(error).split())
    return text.rpartition("Caused by:")[2].strip()[:_WHY_CHARACTERS]
