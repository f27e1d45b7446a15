"""Launch a plugin as a container: no network, no capabilities, a socket as its only door.

A container that listens on TCP only is started again on an internal network of its own,
from which nothing but the host can be reached. Its standard input is its lifeline: the
host's end closes it, and the engine removes the container when it has ended. What ignores
that is removed by label at the next start of a host.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.confining.mechanisms import mechanisms
from cdp_pipeline.runtimes.grpc.confinement import (
    HELD,
    PORT,
    REACH,
    SOCKET_FOLDER,
    confined,
    volumes,
)
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.contained import ContainerInstance
from cdp_pipeline.runtimes.grpc.engine import Engine, labels
from cdp_pipeline.runtimes.grpc.handshake import handshake_variables, new_token
from cdp_pipeline.runtimes.grpc.launches import SOCKET_NAME, Launch
from cdp_pipeline.runtimes.grpc.local import LaunchTerms
from cdp_pipeline.runtimes.grpc.meeting import Address, Meeting, Terms
from cdp_pipeline.runtimes.processes.environment import granted_variables
from cdp_pipeline.runtimes.processes.listeners import listens_in_namespace
from cdp_pipeline.runtimes.processes.logs import LogLines

_POLL_S = 0.1
_SOCKET_S = 1.0
"""How long a plugin that listens on TCP may still take to open its socket."""


class NeedsNetwork(Exception):
    """The plugin listens on TCP only."""


class ContainerLauncher:
    """Launches one plugin in containers.

    Attributes:
        policy: When it is started again after it died.
        again: What that is called in the log.
        passes_config: True: it finds its configuration in `PLUGIN_CONFIG`.
        keeps_version: True: only the host puts another version in its place.
        mechanisms: By what each limit is held.
    """

    again = "starting the plugin again"
    passes_config = True
    keeps_version = True

    def __init__(
        self, manifest: Manifest, plugin: PluginConfig, limits: Limits, terms: LaunchTerms
    ) -> None:
        assert manifest.docker is not None
        self.policy = terms.policy
        self._manifest = manifest
        self._docker = manifest.docker
        self._plugin = plugin
        self._limits = limits
        self._terms = terms
        self._reference = manifest.metadata().reference
        self._log = terms.log_of(self._reference)
        self._needs_network = False
        self.mechanisms = mechanisms(limits, HELD, REACH)

    async def launch(self, config: bytes | None) -> Connection:
        """Return a new container that is ready."""
        try:
            return await self._launch(config)
        except NeedsNetwork:
            self._needs_network = True
            self._log.info("the plugin listens on TCP only: it gets an internal network")
            return await self._launch(config)

    async def _launch(self, config: bytes | None) -> Connection:
        engine = await Engine.connect(self._terms.environ)
        launch, token = self._terms.launches.begin(self._reference), new_token()
        try:
            await engine.reap()
            instance = await self._created(engine, launch, token, config)
        except BaseException:
            launch.close()
            engine.client.close()
            raise
        try:
            await instance.start()
            return await self._met(engine, instance, launch, token)
        except BaseException:
            instance.kill()
            await instance.stop()
            raise

    async def _created(
        self, engine: Engine, launch: Launch, token: str, config: bytes | None
    ) -> ContainerInstance:
        image = await engine.image(self._docker.image)
        digests = image.attrs.get("RepoDigests") or [image.id]
        self._log.info("starting a container", image=self._docker.image, digest=digests[0])
        launch.folder.chmod(0o777)
        mounts = volumes(self._manifest, self._plugin.permissions)
        mounts[str(launch.folder)] = {"bind": SOCKET_FOLDER, "mode": "rw"}
        network = await self._new_network(engine, launch) if self._needs_network else None
        options = confined(self._limits) | {
            "environment": self._environment(token, config),
            "volumes": mounts,
            "labels": labels(self._reference),
            "name": f"cdp-{self._plugin.name}-{launch.id}",
            "stdin_open": True,
            "auto_remove": True,
            "network" if network else "network_mode": network.name if network else "none",
        }
        try:
            container = await engine.call(
                lambda: engine.client.containers.create(image.id, **options),
                "create a container",
                undo=lambda made: made.remove(force=True, v=True),
            )
        except BaseException:
            if network:
                await asyncio.to_thread(engine.quietly, network.remove)
            raise
        log, grace_s = LogLines(self._log), self._terms.grace_s
        return ContainerInstance(
            engine, container, launch, network=network, log=log, grace_s=grace_s
        )

    async def _new_network(self, engine: Engine, launch: Launch) -> Any:
        return await engine.call(
            lambda: engine.client.networks.create(
                f"cdp-{launch.id}", internal=True, labels=labels(self._reference)
            ),
            "create a network",
            undo=lambda made: made.remove(),
        )

    def _environment(self, token: str, config: bytes | None) -> dict[str, str]:
        granted, _ = granted_variables(self._manifest, self._plugin)
        environ = self._terms.environ
        return (
            dict(self._docker.env)
            | {name: environ[name] for name in granted if name in environ}
            | handshake_variables(
                self._plugin.name,
                socket=f"{SOCKET_FOLDER}/{SOCKET_NAME}",
                port=PORT,
                token=token,
                max_message_bytes=self._terms.max_message_bytes,
            )
            | ({} if config is None else {"PLUGIN_CONFIG": config.decode()})
        )

    async def _met(
        self, engine: Engine, instance: ContainerInstance, launch: Launch, token: str
    ) -> Connection:
        addresses = [Address(f"unix:{launch.socket}", True)]
        if self._needs_network:
            addresses.append(Address(await self._inner_address(engine, instance), False))
        terms = Terms(
            token=token,
            timeout_s=self._terms.start_timeout_s,
            max_message_bytes=self._terms.max_message_bytes,
        )
        meeting = asyncio.ensure_future(
            Meeting(self._reference, instance, addresses, terms).connection()
        )
        watching = asyncio.ensure_future(self._watch(engine, instance, launch))
        try:
            await asyncio.wait([meeting, watching], return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and not meeting.done() and not self._needs_network:
                raise NeedsNetwork
            return await meeting
        finally:
            meeting.cancel()
            watching.cancel()

    async def _watch(self, engine: Engine, instance: ContainerInstance, launch: Launch) -> None:
        """Return when the container listens on TCP and does not open its socket."""
        loop = asyncio.get_running_loop()
        since: float | None = None
        pid = await engine.call(lambda: _main_process(instance.container), "find the container")
        while since is None or loop.time() < since + _SOCKET_S:
            if launch.socket.exists() or self._needs_network or not pid:
                await asyncio.Event().wait()
            if since is None and listens_in_namespace(pid):
                since = loop.time()
            await asyncio.sleep(_POLL_S)

    async def _inner_address(self, engine: Engine, instance: ContainerInstance) -> str:
        def address() -> str:
            instance.container.reload()
            [network] = instance.container.attrs["NetworkSettings"]["Networks"].values()
            return str(network["IPAddress"])

        found = await engine.call(address, "find the container's address")
        if not found:
            raise ArtifactError(
                "the container has no address", code="docker.refused", hint="is it running?"
            )
        return f"{found}:{PORT}"


def _main_process(container: Any) -> int:
    container.reload()
    return int(container.attrs["State"]["Pid"])
