"""Launch a plugin as a process of this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.confining.bounds import Bounds, Confinement, Machine
from cdp_pipeline.runtimes.confining.reach import rules_for
from cdp_pipeline.runtimes.grants import granted
from cdp_pipeline.runtimes.grpc.client import DEFAULT_MAX_MESSAGE_BYTES
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.handshake import handshake_variables, new_token
from cdp_pipeline.runtimes.grpc.launches import Launch, Launches
from cdp_pipeline.runtimes.grpc.meeting import START_TIMEOUT_S, Address, Meeting, Terms
from cdp_pipeline.runtimes.grpc.port import HeldPort
from cdp_pipeline.runtimes.grpc.reaper import end_marked
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdp_pipeline.runtimes.processes.ending import Ending
from cdp_pipeline.runtimes.processes.environment import basic_environment
from cdp_pipeline.runtimes.processes.logs import LogLines
from cdp_pipeline.runtimes.processes.process import GRACE_S, PluginProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTerms:
    """How plugins are launched.

    Attributes:
        environ: The host's environment.
        launches: The folder of this user's launches.
        start_timeout_s: Time in which a plugin must be ready, in seconds.
        grace_s: Time between SIGTERM and SIGKILL, in seconds.
        max_message_bytes: Largest message, either way.
        policy: When a plugin that died is started again.
        log_of: Makes the logger for what a plugin prints, given its `name@version`.
        machine: What there is to bound processes with.
    """

    environ: Mapping[str, str]
    launches: Launches
    start_timeout_s: float = START_TIMEOUT_S
    grace_s: float = GRACE_S
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    log_of: Callable[[str], Any] = lambda reference: logger(plugin=reference)
    machine: Machine = field(default_factory=Machine)


class LocalInstance:
    """One process, and what belongs to its launch."""

    def __init__(
        self, process: PluginProcess, launch: Launch, port: HeldPort, confinement: Confinement
    ) -> None:
        self.ended: asyncio.Future[Ending] = process.ended
        self.process = process
        self.confinement = confinement
        self._launch = launch
        self._port = port

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""
        return self.process.last_lines

    def listening(self) -> Sequence[str]:
        """Return the TCP addresses where it listens."""
        return self.process.listening()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    async def stop(self) -> Ending:
        """End it, remove its socket folder, give its port back."""
        try:
            return await self.process.stop()
        finally:
            if self.process.lost_keeper:
                await asyncio.to_thread(end_marked, self._launch.socket)
            await asyncio.to_thread(self.confinement.close)
            self._port.close()
            self._launch.close()


class LocalLauncher:
    """Launches one plugin.

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
        self,
        manifest: Manifest,
        plugin: PluginConfig,
        command: Callable[[], list[str]],
        terms: LaunchTerms,
        variables: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.policy = terms.policy
        self._manifest = manifest
        self._plugin = plugin
        self._command = command
        self._terms = terms
        self._variables = dict(variables or {})
        self._reference = manifest.metadata().reference
        self._said: set[str] = set()
        self._grants, self._withheld = granted(manifest, plugin.permissions, terms.environ)
        self._bounds = Bounds(
            limits or plugin.limits,
            plugin.sandbox,
            terms.machine,
            may_connect=self._grants.network,
        )
        if plugin.sandbox == "required":
            self._bounds.require_sandbox(plugin.name)
        self.mechanisms = self._bounds.mechanisms

    async def launch(self, config: bytes | None) -> Connection:
        """Return a new process that is ready."""
        token, port = new_token(), HeldPort()
        launch = self._terms.launches.begin(self._reference)
        try:
            environment = self._environment(launch, port, token, config)
            instance = await self._launched(launch, port, environment)
        except BaseException:
            port.close()
            launch.close()
            raise
        return await self._met(instance, launch, port, token)

    async def _launched(
        self, launch: Launch, port: HeldPort, environment: Mapping[str, str]
    ) -> LocalInstance:
        folder, command = self._manifest.folder.absolute(), self._command()
        launch.temporary.mkdir(mode=0o700)
        rules = rules_for(command, folder, launch.folder, environment, self._grants.paths)
        confinement = self._bounds.confinement(launch.id, rules, port.number)
        launch.note(groups=confinement.group.paths)
        await asyncio.to_thread(confinement.make)
        try:
            process = await PluginProcess.launch(
                command,
                folder=folder,
                environment=environment,
                log=LogLines(self._terms.log_of(self._reference)),
                grace_s=self._terms.grace_s,
                confinement=confinement,
            )
        except BaseException:
            await asyncio.shield(asyncio.to_thread(confinement.close))
            raise
        if process.keeper is not None:
            keeper = process.keeper.as_record()
            launch.note(keeper=keeper, groups=confinement.group.paths)
        return LocalInstance(process, launch, port, confinement)

    async def _met(
        self, instance: LocalInstance, launch: Launch, port: HeldPort, token: str
    ) -> Connection:
        addresses = [Address(f"unix:{launch.socket}", True)]
        addresses += [Address(target, False, os.getuid()) for target in port.addresses]
        meeting_terms = Terms(
            token=token,
            timeout_s=self._terms.start_timeout_s,
            max_message_bytes=self._terms.max_message_bytes,
        )
        try:
            meeting = Meeting(self._reference, instance, addresses, meeting_terms)
            connection = await meeting.connection()
        except BaseException:
            instance.kill()
            await instance.stop()
            raise
        if connection.unauthenticated:
            where = ", ".join(instance.listening()) or port.address
            self._tell_once(f"the plugin is unauthenticated: whoever reaches {where} can call it")
        return connection

    def _environment(
        self, launch: Launch, port: HeldPort, token: str, config: bytes | None
    ) -> dict[str, str]:
        if self._withheld:
            self._tell_once(
                "the plugin asks for what the pipeline does not grant under `permissions`: "
                + ", ".join(self._withheld)
            )
        return (
            basic_environment(self._terms.environ)
            | dict(self._grants.env)
            | self._variables
            | {"TMPDIR": str(launch.temporary)}
            | handshake_variables(
                self._plugin.name,
                socket=str(launch.socket),
                port=port.number,
                token=token,
                max_message_bytes=self._terms.max_message_bytes,
            )
            | ({} if config is None else {"PLUGIN_CONFIG": config.decode()})
        )

    def _tell_once(self, notice: str) -> None:
        if notice not in self._said:
            self._said.add(notice)
            self._terms.log_of(self._reference).warning(notice)
