"""A plugin's compiled code, and all that one more instance of it needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import wasmtime
import wasmtime.component

from cdp_pipeline.errors import CdpError
from cdp_pipeline.runtimes.grants import Grants
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.wasm import imports
from cdp_pipeline.runtimes.wasm.clock import Clock, RealClock, VirtualClock
from cdp_pipeline.runtimes.wasm.compiled import Code, Compiled
from cdp_pipeline.runtimes.wasm.component import MOST_MEMORIES, ComponentGuest
from cdp_pipeline.runtimes.wasm.core import CoreGuest, check_exports
from cdp_pipeline.runtimes.wasm.engine import GuestEngine
from cdp_pipeline.runtimes.wasm.extism import MEMORIES, ExtismGuest, check_extism, is_extism
from cdp_pipeline.runtimes.wasm.faults import MemoryExceeded, StartRefused
from cdp_pipeline.runtimes.wasm.grants import apply
from cdp_pipeline.runtimes.wasm.guest import Cell, Guest, GuestLimits
from cdp_pipeline.runtimes.wasm.printing import FileWriter, Pipes
from cdpplugin import PluginError

START_S = 60.0
"""Time in which an instance must be made, in seconds."""

_TOO_SMALL = ("exceeds memory limit", "exceeds table limit", "memory count too high")
"""How wasmtime words the refusal of memory, or of one more memory, at the start."""
_IMPORT_REFUSED = ("unknown import", "incompatible import type", "component imports")
"""How it words that a guest imports what it is not given."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What instances of one plugin are made of.

    Attributes:
        code: Its code.
        engine: The engine it was compiled for.
        limits: What each instance may use.
        grants: What its instances may reach.
        lines: Where goes what they print.
        reference: `name@version`, for messages.
        where: Its file, for messages.
    """

    code: Code
    engine: GuestEngine
    limits: GuestLimits
    grants: Grants
    lines: LogLines
    reference: str
    where: str

    @property
    def compiled(self) -> Compiled:
        """Its code, as wasmtime has it."""
        return self.code.compiled

    def instance(self) -> Guest:
        """Return a new instance that nothing was called in.

        Raises:
            ArtifactError: It lacks what the ABI asks for, or wants what it is not given.
            MemoryExceeded: It needs more memory from the start.
            StartRefused: It traps while it prepares itself.
        """
        clock: Clock = RealClock() if self.grants.clock else VirtualClock()
        cell = self._cell(clock)
        try:
            with cell.timed(START_S):
                guest = self._linked(cell, clock)
            if isinstance(guest, CoreGuest):
                guest.initialize(START_S)
        except MemoryExceeded:
            raise
        except PluginError as error:
            raise StartRefused(error.message, code=error.code, hint=error.hint) from error
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise self._refused(cell, error) from error
        return guest

    def _cell(self, clock: Clock) -> Cell:
        store = wasmtime.Store(self.engine.engine)
        wasi = wasmtime.WasiConfig()
        apply(self.grants, wasi)
        lines: LogLines | Pipes = self.lines
        if isinstance(self.compiled, wasmtime.component.Component):
            lines = Pipes(wasi, self.lines, stdout_is_granted=self.grants.stdout)
        store.set_wasi(wasi)
        return Cell(
            store,
            self.engine,
            self.limits,
            self.reference,
            self._memories,
            FileWriter.MEMORIES if self._file_writer else 0,
            lambda: lines.last_lines,
            clock if isinstance(clock, RealClock) else None,
        )

    @cached_property
    def _is_extism(self) -> bool:
        compiled = self.compiled
        return isinstance(compiled, wasmtime.Module) and is_extism(compiled)

    @cached_property
    def _memories(self) -> int:
        if isinstance(self.compiled, wasmtime.component.Component):
            return MOST_MEMORIES
        return MEMORIES if self._is_extism else 1

    @cached_property
    def _file_writer(self) -> wasmtime.Module | None:
        """What lets a core module write to files and to its standard output, if it may."""
        if isinstance(self.compiled, wasmtime.component.Component):
            return None
        may_write = self.grants.stdout or any(self.grants.paths.values())
        return self.engine.own_module("file_writer.wat") if may_write else None

    @cached_property
    def _exports(self) -> frozenset[str]:
        """The functions of the ABI that a core module has, and may have: checked once."""
        assert isinstance(self.compiled, wasmtime.Module)
        imports.check_imports(self.compiled, self.where)
        check = check_extism if self._is_extism else check_exports
        return check(self.compiled, self.where)

    def _linked(self, cell: Cell, clock: Clock) -> Guest:
        if isinstance(self.compiled, wasmtime.component.Component):
            components = imports.component_linker(self.engine.engine)
            instance = components.instantiate(cell.store, self.compiled)
            return ComponentGuest(cell, instance, self.where)
        exports = self._exports
        linker = imports.core_linker(
            cell.store, self.lines, clock, self._file_writer, stdout_is_granted=self.grants.stdout
        )
        if self._is_extism:
            return ExtismGuest(cell, self.compiled, linker, self.lines, exports)
        return CoreGuest(cell, linker.instantiate(cell.store, self.compiled), exports)

    def _refused(self, cell: Cell, error: Exception) -> PluginError | CdpError:
        """Return why no instance can be made."""
        text = " ".join(str(error).split())
        if any(words in text for words in _TOO_SMALL):
            bound = self.limits.memory_bytes
            return MemoryExceeded(
                f"plugin `{self.reference}` needs more memory from the start than the {bound} "
                "bytes that an instance may have"
            )
        if any(words in text for words in _IMPORT_REFUSED):
            return imports.unknown_import(_named(text), self.where, text[:300])
        fault = cell.fault(error, "its start", START_S)
        return StartRefused(fault.message, code=fault.code, hint=fault.hint)


def _named(text: str) -> str:
    """Return the name between the first backquotes of *text*."""
    parts = text.split("`")
    return parts[1] if len(parts) > 2 else "something"
