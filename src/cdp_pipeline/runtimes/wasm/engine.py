"""The WebAssembly engines of one host, and the clock that ends guests which take too long.

Guests of all plugins share an engine, so that what is compiled once serves all of them. A
guest's time is counted in ticks: a thread moves the engine's epoch on while anybody runs.
"""

from __future__ import annotations

import atexit
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from weakref import WeakSet

import wasmtime

TICK_S = 0.01
"""Time between two ticks, in seconds: the accuracy of timeouts."""
STACK_BYTES = 1 << 20
"""Stack of one guest; a deeper recursion ends it."""
FOREVER_TICKS = 1 << 62
FAR_TICKS = 100_000
"""More ticks than the longest deadline of a batch has."""


_alive: WeakSet[GuestEngine] = WeakSet()


@atexit.register
def expire_all() -> None:
    """End all guests before the interpreter ends: their threads must not find it half gone."""
    for engine in list(_alive):
        if engine.is_busy:
            engine.expire()


class GuestEngine:
    """One engine.

    Attributes:
        engine: wasmtime's.
        counts_fuel: Whether code compiled for it counts the instructions it executes.
    """

    def __init__(self, *, counts_fuel: bool) -> None:
        config = wasmtime.Config()
        config.epoch_interruption = True
        config.consume_fuel = counts_fuel
        config.max_wasm_stack = STACK_BYTES
        config.wasm_threads = False
        config.wasm_memory64 = False
        config.wasm_multi_memory = False
        config.wasm_gc = False
        config.wasm_component_model = True
        self.engine = wasmtime.Engine(config)
        _alive.add(self)
        self.counts_fuel = counts_fuel
        self._own: dict[str, wasmtime.Module] = {}
        self._running = 0
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None

    def own_module(self, name: str) -> wasmtime.Module:
        """Return a module of this package, written as text, compiled once."""
        with self._turn:
            if name not in self._own:
                text = files(__package__).joinpath(name).read_text(encoding="utf-8")
                self._own[name] = wasmtime.Module(self.engine, bytes(wasmtime.wat2wasm(text)))
            return self._own[name]

    def expire(self) -> None:
        """End whatever guest runs, at its next step."""
        for _ in range(FAR_TICKS):
            self.engine.increment_epoch()

    @property
    def fingerprint(self) -> str:
        """What code compiled for it depends on, beside its source."""
        return f"{version('wasmtime')} fuel={self.counts_fuel} stack={STACK_BYTES}"

    @property
    def is_busy(self) -> bool:
        """Whether a guest runs."""
        return self._running > 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let ticks pass while a guest runs."""
        with self._turn:
            self._running += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._tick, name="wasm-clock", daemon=True)
                self._thread.start()
            elif self._running == 1:
                self._turn.notify()
        try:
            yield
        finally:
            with self._turn:
                self._running -= 1

    def _tick(self) -> None:
        pause = threading.Event()
        while True:
            with self._turn:
                if not self._running and not self._turn.wait_for(lambda: self._running, _IDLE_S):
                    self._thread = None
                    return
            pause.wait(TICK_S)
            self.engine.increment_epoch()


_IDLE_S = 5.0
"""A clock that nobody needed for so long ends its thread."""


def ticks(timeout_s: float) -> int:
    """Return after how many ticks *timeout_s* has surely passed."""
    return math.ceil(timeout_s / TICK_S) + 1


class Engines:
    """The engines of one host: one whose guests count fuel, and one for all others."""

    def __init__(self) -> None:
        self._made: dict[bool, GuestEngine] = {}
        self._turn = threading.Lock()

    def get(self, *, counts_fuel: bool) -> GuestEngine:
        """Return the engine for guests with or without a limit on fuel."""
        with self._turn:
            if counts_fuel not in self._made:
                self._made[counts_fuel] = GuestEngine(counts_fuel=counts_fuel)
            return self._made[counts_fuel]
