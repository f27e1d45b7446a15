"""Launch a plugin as a container: no network, no capabilities, a socket as its only door.

A container that listens on TCP only is started again on an internal network of its own,
from which nothing but the host can be reached. Its standard input is its lifeline: the
host's end closes it, and the engine removes the container when it has ended. What ignores
that is removed by label at the next start of a host.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.grpc.attachment import Attachment
from cdp_pipeline.runtimes.grpc.confinement import PORT, SOCKET_FOLDER, confined, volumes
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.engine import Engine, labels
from cdp_pipeline.runtimes.grpc.handshake import handshake_variables, new_token
from cdp_pipeline.runtimes.grpc.launches import SOCKET_NAME, Launch
from cdp_pipeline.runtimes.grpc.local import LaunchTerms
from cdp_pipeline.runtimes.grpc.meeting import Address, Meeting, Terms
from cdp_pipeline.runtimes.processes.ending import Ending
from cdp_pipeline.runtimes.processes.environment import granted_variables
from cdp_pipeline.runtimes.processes.listeners import listens_in_namespace
from cdp_pipeline.runtimes.processes.logs import LogLines

_POLL_S = 0.1
_SOCKET_S = 1.0
"""How long a plugin that listens on TCP may still take to open its socket."""
_REMOVAL_S = 30
"""Longest wait for the engine to have removed a container, in seconds."""
_KILLED = 137
"""The exit status of a process that SIGKILL ended, as the engine reports it."""


class NeedsNetwork(Exception):
    """The plugin listens on TCP only."""


class ContainerInstance:
    """One container, and what belongs to its launch."""

    def __init__(
        self,
        engine: Engine,
        container: Any,
        launch: Launch,
        *,
        network: Any,
        log: LogLines,
        grace_s: float,
    ) -> None:
        self.container = container
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._engine = engine
        self._launch = launch
        self._network = network
        self._log = log
        self._grace_s = grace_s
        self._killed = False
        self._attachment: Attachment | None = None
        self._following: threading.Thread | None = None
        self._is_started = False

    async def start(self) -> None:
        """Hold its lifeline, follow its output, start it."""
        self._attachment = await self._engine.call(
            lambda: Attachment(self.container), "attach to the container"
        )
        self._following = threading.Thread(
            target=self._follow, args=(self._attachment,), name="plugin-log", daemon=True
        )
        self._following.start()
        await self._engine.call(self.container.start, "start the container")
        self._is_started = True
        loop = asyncio.get_running_loop()
        # Of its own: a thread that waits as long as the container lives would take the place of
        # the loop's few, until nothing moved.
        threading.Thread(target=self._wait, args=(loop,), name="container", daemon=True).start()

    def _follow(self, attachment: Attachment) -> None:
        with suppress(OSError):  # the engine went away, or this was closed
            for stream, data in attachment.output():
                self._log.feed(stream, data)
        self._log.close()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            ending = _ending(self.container.wait(timeout=None)["StatusCode"])
        except Exception as error:  # gone before it could be asked, or the engine with it
            ending = Ending(reason=f"is gone: {error}")
        with suppress(RuntimeError):  # the host has ended
            loop.call_soon_threadsafe(self._settle, ending)

    def _settle(self, ending: Ending) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""
        return self._log.last_lines

    def listening(self) -> Sequence[str]:
        """None: its addresses are its own."""
        return ()

    def kill(self) -> None:
        """End it at once."""
        self._killed = True
        quietly = self._engine.quietly
        threading.Thread(target=lambda: quietly(self.container.kill), daemon=True).start()

    async def stop(self) -> Ending:
        """End it: SIGTERM, SIGKILL after the grace; remove all that was made for it."""
        await asyncio.to_thread(self._remove)
        if not self._is_started:
            self._settle(Ending(reason="was never started"))
        ending = await asyncio.shield(self.ended)
        await asyncio.to_thread(self._engine.client.close)
        return ending

    def _remove(self) -> None:
        quietly, grace_s = self._engine.quietly, 0 if self._killed else round(self._grace_s)
        quietly(lambda: self.container.stop(timeout=grace_s))
        quietly(lambda: self.container.remove(force=True, v=True))
        quietly(lambda: self.container.wait(condition="removed", timeout=_REMOVAL_S))
        if self._attachment is not None:
            self._attachment.close()
        if self._following is not None:
            self._following.join(_REMOVAL_S)
        if self._network is not None:
            quietly(self._network.remove)
        self._launch.close()


class ContainerLauncher:
    """Launches one plugin in containers.

    Attributes:
        policy: When it is started again after it died.
        again: What that is called in the log.
        passes_config: True: it finds its configuration in `PLUGIN_CONFIG`.
    """

    again = "starting the plugin again"
    passes_config = True

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


def _ending(status: int) -> Ending:
    if status == _KILLED:
        return Ending(signal_number=9, reason="or reached its memory limit")
    return Ending(signal_number=status - 128) if 128 < status < 160 else Ending(status=status)
