"""Make handles of WebAssembly plugins: what a host calls.

loader = WasmLoader(environ, cache, backings=HOST_BACKINGS)
launch = loader.load(manifest, plugin)
handle = await launch(workers)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.building.builder import Builder
from cdp_pipeline.runtimes.confining.mechanisms import FILES, mechanisms
from cdp_pipeline.runtimes.deadlines import DEFAULT_TIMEOUT_S, Deadlines
from cdp_pipeline.runtimes.declared import completed, differences
from cdp_pipeline.runtimes.grants import granted
from cdp_pipeline.runtimes.launching import reporting
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.wasm.binary import kind_of, read_code
from cdp_pipeline.runtimes.wasm.compiled import CompiledCache
from cdp_pipeline.runtimes.wasm.cpu import DutyCycle
from cdp_pipeline.runtimes.wasm.engine import Engines
from cdp_pipeline.runtimes.wasm.guest import DEFAULT_OUTPUT_BYTES, Guest, GuestLimits
from cdp_pipeline.runtimes.wasm.handles import HANDLES, GuestTerms, WasmConsumer, WasmProcessor
from cdp_pipeline.runtimes.wasm.metadata import Said, ask
from cdp_pipeline.runtimes.wasm.pool import Pool
from cdp_pipeline.runtimes.wasm.program import Program
from cdpplugin import PluginMetadata
from cdpplugin.backing import BACKINGS, Backings

Handle = WasmProcessor | WasmConsumer
Launch = Callable[[int], Awaitable[Handle]]

_HELD = {
    "timeout": "epoch",
    "memory": "wasmtime",
    "cpu": "duty cycle",
    "fuel": "wasmtime",
    "output": "host",
    "instances": "host",
    "pids": "WebAssembly, which starts no processes",
}
_REACH = {
    **dict.fromkeys((FILES, "TCP", "UDP"), "WebAssembly"),
    "privileges": "WebAssembly, which has none",
}
DEFAULT_MEMORY_BYTES = 1 << 30
"""Memory of all instances of a plugin for which nobody sets a limit."""


class WasmLoader:
    """Loads plugins that are WebAssembly.

    Args:
        environ: The host's environment.
        cache: The host's cache folder, for compiled code and builds.
        backings: What makes payload columns of the bytes that plugins answer.
        log_of: Makes the logger for what a plugin prints, given its `name@version`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        cache: Path,
        *,
        backings: Backings = BACKINGS,
        log_of: Callable[[str], Any] = lambda reference: logger(plugin=reference),
    ) -> None:
        self._environ = environ
        self._backings = backings
        self._log_of = log_of
        self._builder = Builder(cache, environ, log_of)
        self._cache = CompiledCache(cache / "wasm")
        self._engines = Engines()

    def load(
        self, manifest: Manifest, plugin: PluginConfig, limits: Limits | None = None
    ) -> Launch:
        """Return what launches the plugin of *manifest*; nothing is read yet.

        Args:
            manifest: The plugin's manifest.
            plugin: What the pipeline says of it.
            limits: Limits for what the pipeline leaves open.
        """

        async def work(workers: int) -> Handle:
            await self._builder.ensure(manifest)
            path = manifest.folder / manifest.executable
            return await self._launch(path, plugin, manifest, limits, workers)

        return reporting(manifest.metadata().reference, work)

    def load_file(self, path: Path, plugin: PluginConfig, limits: Limits | None = None) -> Launch:
        """Return what launches the bare module at *path*, which has no grants."""
        return reporting(
            plugin.name, lambda workers: self._launch(path, plugin, None, limits, workers)
        )

    async def _launch(
        self,
        path: Path,
        plugin: PluginConfig,
        manifest: Manifest | None,
        limits: Limits | None,
        workers: int,
    ) -> Handle:
        bounds = plugin.limits.over(limits or Limits())
        stateful = manifest is not None and manifest.stateful
        most = 1 if stateful else min(workers, bounds.instances or workers)
        program = await asyncio.to_thread(self._program, path, plugin, manifest, bounds, most)
        guest, said = await asyncio.to_thread(_first, program)
        metadata = self._metadata(said, manifest)
        pool = Pool(program, 1 if metadata.stateful else most, stateful=metadata.stateful)
        pool.adopt(guest)
        timeout_s = DEFAULT_TIMEOUT_S if bounds.timeout is None else bounds.timeout
        terms = GuestTerms(
            workers=most,
            deadlines=Deadlines(timeout_s),
            is_fueled=bounds.fuel is not None,
            cpu=DutyCycle(bounds.cpu),
            backings=self._backings,
        )
        handle = HANDLES[metadata.type](pool, metadata, guest.exports, terms, said)
        handle.confinement = mechanisms(bounds, _HELD, _REACH)
        return handle

    def _program(
        self,
        path: Path,
        plugin: PluginConfig,
        manifest: Manifest | None,
        bounds: Limits,
        most: int,
    ) -> Program:
        reference = manifest.metadata().reference if manifest else plugin.name
        log = self._log_of(reference)
        grants, withheld = granted(manifest, plugin.permissions, self._environ)
        if withheld:
            log.warning(
                "the plugin asks for what the pipeline does not grant under `permissions`: "
                + ", ".join(withheld)
            )
        code = read_code(path)
        engine = self._engines.get(counts_fuel=bounds.fuel is not None)
        return Program(
            code=self._cache.get(code, kind_of(code, str(path)), engine, str(path)),
            engine=engine,
            limits=_limits(bounds, most),
            grants=grants,
            lines=LogLines(log),
            reference=reference,
            where=str(path),
        )

    def _metadata(self, said: Said, manifest: Manifest | None) -> PluginMetadata:
        if manifest is None:
            return said.metadata
        written = manifest.metadata()
        for difference in differences(said.metadata, written):
            self._log_of(written.reference).warning(difference)
        return completed(said.metadata, written)


def _limits(bounds: Limits, instances: int) -> GuestLimits:
    """Return what each of so many instances may use of what all may use."""
    memory_bytes = DEFAULT_MEMORY_BYTES if bounds.memory is None else bounds.memory
    return GuestLimits(
        memory_bytes=memory_bytes // instances,
        fuel=bounds.fuel,
        output_bytes=DEFAULT_OUTPUT_BYTES if bounds.output is None else bounds.output,
    )


def _first(program: Program) -> tuple[Guest, Said]:
    guest = program.instance()
    return guest, ask(guest, program.reference)
