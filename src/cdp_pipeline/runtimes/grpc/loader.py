"""Make handles of plugins in other processes: what a host calls.

loader = GrpcLoader(environ, cache, backings=HOST_BACKINGS)
launch = loader.load(manifest, plugin)
handle = await launch(workers)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.runtimes.building.builder import Builder
from cdp_pipeline.runtimes.confining.mechanisms import (
    ELSEWHERE,
    NO_SANDBOX,
    mechanisms,
)
from cdp_pipeline.runtimes.deadlines import DEFAULT_TIMEOUT_S, Deadlines
from cdp_pipeline.runtimes.declared import completed, differences
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.consumer import GrpcConsumer
from cdp_pipeline.runtimes.grpc.handles import CallTerms
from cdp_pipeline.runtimes.grpc.launches import Launches
from cdp_pipeline.runtimes.grpc.life import Launcher, Life
from cdp_pipeline.runtimes.grpc.local import LaunchTerms, LocalLauncher
from cdp_pipeline.runtimes.grpc.processor import GrpcProcessor
from cdp_pipeline.runtimes.grpc.reaper import reap
from cdp_pipeline.runtimes.grpc.remote import POLICY, RemoteTerms, address_of, replicas
from cdp_pipeline.runtimes.grpc.replicas import ReplicatedProcessor, meet
from cdp_pipeline.runtimes.grpc.source import GrpcSource
from cdp_pipeline.runtimes.launching import reporting
from cdp_pipeline.runtimes.processes.command import command_of
from cdp_pipeline.runtimes.processes.environment import basic_environment
from cdpplugin import PluginMetadata
from cdpplugin.backing import BACKINGS, Backings

GrpcHandle = GrpcSource | GrpcProcessor | GrpcConsumer
Handle = GrpcHandle | ReplicatedProcessor
Launch = Callable[[int], Awaitable[Handle]]

_KINDS: Mapping[str, type[GrpcSource] | type[GrpcProcessor] | type[GrpcConsumer]] = {
    "source": GrpcSource,
    "processor": GrpcProcessor,
    "consumer": GrpcConsumer,
}


class GrpcLoader:
    """Loads plugins that run in other processes.

    Args:
        environ: The host's environment.
        cache: The host's cache folder, for builds and Python environments.
        backings: What makes payload columns of the bytes that plugins answer.
        launch_options: Fields of `LaunchTerms` that differ from their defaults.
        remote: How plugins elsewhere are reached.
        isolates: Whether a message that ends a plugin is found, see `Isolation`; or the batch fails
            as a whole, for whoever wants to know of it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        cache: Path,
        *,
        backings: Backings = BACKINGS,
        remote: RemoteTerms | None = None,
        isolates: bool = True,
        **launch_options: Any,
    ) -> None:
        self._terms = LaunchTerms(environ=environ, launches=Launches(environ), **launch_options)
        self._backings = backings
        self._remote = remote or RemoteTerms()
        self._isolates = isolates
        self._builder = Builder(cache, environ, self._terms.log_of)
        self._reaped = False

    def load(
        self, manifest: Manifest, plugin: PluginConfig, limits: Limits | None = None
    ) -> Launch:
        """Return what launches the plugin; nothing is started yet.

        Args:
            manifest: The plugin's manifest.
            plugin: What the pipeline says of it.
            limits: Limits for what the pipeline leaves open.
        """
        bounds = plugin.limits.over(limits or Limits())
        if manifest.address:
            return self.load_address(manifest.address, plugin, limits, manifest.metadata())
        reference = manifest.metadata().reference
        return reporting(reference, lambda _: self._launch(manifest, plugin, bounds))

    def load_address(
        self,
        address: str,
        plugin: PluginConfig,
        limits: Limits | None = None,
        manifest: PluginMetadata | None = None,
    ) -> Launch:
        """Return what connects to the plugin at *address*, which says itself what it is.

        Args:
            address: `dns:///HOST:PORT` or `HOST:PORT`.
            plugin: What the pipeline says of it, its `tls` and `token` among that.
            limits: Limits for what the pipeline leaves open.
            manifest: What its manifest says of it, if it has one.

        Raises:
            ArtifactError: plugin.address_invalid.
        """
        address_of(address)
        bounds = plugin.limits.over(limits or Limits())
        name = manifest.reference if manifest else plugin.name
        terms = self._remote.for_plugin(plugin)
        return reporting(name, lambda _: self._elsewhere(name, address, terms, manifest, bounds))

    async def _launch(self, manifest: Manifest, plugin: PluginConfig, limits: Limits) -> Handle:
        for notice in manifest.notices():
            self._terms.log_of(manifest.metadata().reference).info(notice)
        await self._reap_once()
        if manifest.docker is not None:
            from cdp_pipeline.runtimes.grpc.container import ContainerLauncher

            launcher: Launcher = ContainerLauncher(manifest, plugin, limits, self._terms)
        else:
            launcher = await self._local(manifest, plugin, limits)
        handle = await self._handle(launcher, manifest.metadata(), limits)
        handle.is_container = manifest.docker is not None
        return handle

    async def _local(
        self, manifest: Manifest, plugin: PluginConfig, limits: Limits
    ) -> LocalLauncher:
        await self._builder.ensure(manifest)
        environment = self._builder.environment_of(manifest)
        search_path = basic_environment(self._terms.environ)["PATH"]
        variables = environment.variables(search_path) if environment else {}
        python = environment.python if environment else None

        def command() -> list[str]:
            return command_of(manifest, variables.get("PATH", search_path), python)

        return LocalLauncher(manifest, plugin, command, self._terms, variables, limits)

    async def _elsewhere(
        self,
        name: str,
        address: str,
        terms: RemoteTerms,
        manifest: PluginMetadata | None,
        limits: Limits,
    ) -> Handle:
        """Return a handle of all replicas; of anything but a stateless processor one is used.

        Raises:
            PluginError: None can be reached, or one of them can never be used.
        """
        launchers = await replicas(name, address, terms, mechanisms(limits, ELSEWHERE, NO_SANDBOX))
        launches = [partial(self._handle, each, manifest, limits) for each in launchers]
        handle: Handle = await meet(launches, POLICY, self._terms.log_of(name))
        return handle

    async def _handle(
        self, launcher: Launcher, manifest: PluginMetadata | None, limits: Limits
    ) -> GrpcHandle:
        first = await launcher.launch(None)
        try:
            metadata = self._metadata(first, manifest)
        except BaseException:
            await first.close()
            raise
        timeout_s = DEFAULT_TIMEOUT_S if limits.timeout is None else limits.timeout
        terms = CallTerms(
            deadlines=Deadlines(timeout_s),
            max_message_bytes=self._terms.max_message_bytes,
            backings=self._backings,
            isolates=self._isolates and not metadata.stateful,
        )
        life = Life(launcher, first, metadata.reference, stateful=metadata.stateful)
        handle = _KINDS[metadata.type](life, metadata, terms)
        handle.confinement = launcher.mechanisms
        return handle

    async def _reap_once(self) -> None:
        """End what dead hosts have left, once in this host's life."""
        if not self._reaped:
            self._reaped = True
            await asyncio.to_thread(reap, self._terms.launches)

    def _metadata(self, first: Connection, manifest: PluginMetadata | None) -> PluginMetadata:
        if manifest is None:
            return first.metadata
        for difference in differences(first.metadata, manifest):
            self._terms.log_of(manifest.reference).warning(difference)
        return completed(first.metadata, manifest)
