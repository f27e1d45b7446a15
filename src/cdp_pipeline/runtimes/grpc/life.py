"""A plugin's life over all its processes: metadata, configure, start, work, stop.

What died is started again by the next call that needs it, configured and started as it
was before. The calls that were in progress fail with `Retry`, so that the engine repeats
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.confining.mechanisms import Mechanisms
from cdp_pipeline.runtimes.grpc import client, faults
from cdp_pipeline.runtimes.grpc.client import Method
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.restarts import Deaths, RestartPolicy
from cdp_pipeline.runtimes.processes.ending import with_last_lines
from cdpplugin import ConfigInvalid, Context, PluginError, Retry, encode_json
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import encode_context

T = TypeVar("T")
R = TypeVar("R", bound=Message)

CONFIGURE_S = 60.0
START_S = 300.0
STOP_S = 30.0
"""Longest waits for the calls of these names, in seconds."""
_DEATH_S = 2.0
"""Longest wait between a broken connection and the news that the process ended."""
_LINE_EVERY_S = 10.0
"""How often it is said that the plugin is waited for, in seconds."""
_ANSWER_S = 2.0
"""Longest wait for an answer that shows that an instance can be reached at all, in seconds."""
_LATE = grpc.StatusCode.DEADLINE_EXCEEDED
_OF_BROKEN_CONNECTIONS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class Launcher(Protocol):
    """Makes running instances of one plugin.

    Attributes:
        policy: When one that died is started again.
        again: What that is called in the log.
        passes_config: Whether a configuration can be put into the environment.
        keeps_version: Whether one that is started again must be the version that died.
        mechanisms: By what each limit is held.
    """

    policy: RestartPolicy
    again: str
    passes_config: bool
    keeps_version: bool
    mechanisms: Mechanisms

    async def launch(self, config: bytes | None) -> Connection:
        """Return a new instance that is ready; *config* goes into its environment.

        Raises:
            PluginError: It did not become ready. Nothing of it is left.
            ArtifactError: It cannot be run.
        """


class Life:
    """One plugin, whatever process it is in just now.

    Attributes:
        started: What the plugin answered when it was last started.
    """

    def __init__(
        self, launcher: Launcher, first: Connection, reference: str, *, stateful: bool = False
    ) -> None:
        self.started = pb.StartResponse()
        self._launcher = launcher
        self._reference = reference
        self._log = logger(plugin=reference)
        self._deaths = Deaths(launcher.policy)
        self._turn = asyncio.Lock()
        self._connection = first
        self._config: bytes | None = None
        self._context: pb.StartRequest | None = None
        self._stateful = stateful
        self._stopped = False
        self._mourned: Connection | None = None
        self._pardoned: Connection | None = None
        self._reviving: asyncio.Task[None] | None = None

    @property
    def current(self) -> Connection:
        """The newest instance, alive or not."""
        return self._connection

    async def connection(self) -> Connection:
        """Return an instance that lives, configured and started as far as this life is.

        Raises:
            PluginError: There is none, for now (`Retry`) or for good (`Fatal`).
        """
        if self._connection.is_alive:
            return self._connection
        async with self._turn:
            if not self._connection.is_alive:
                await self._revived()
            return self._connection

    async def _revived(self) -> None:
        """Start the plugin again, unless it is stopped meanwhile."""
        self._reviving = asyncio.create_task(self._revive())
        try:
            await self._reviving
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise self._is_stopped() from None
        finally:
            self._reviving = None

    def _is_stopped(self) -> faults.PluginUnavailable:
        return faults.PluginUnavailable(f"plugin `{self._reference}` is stopped")

    def pardon(self, connection: Connection) -> None:
        """Do not count the death of this instance, and start the next one at once."""
        self._pardoned = connection

    def excuse(self, connection: Connection) -> None:
        """Take back that the death of this instance was counted."""
        self._deaths.excuse(connection)

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Hand over the configuration.

        Raises:
            ConfigInvalid: The plugin refuses it, or has no way to take it.
        """
        connection = await self.connection()
        self._config = encode_json(config)
        if pb.FEATURE_CONFIGURE in connection.features:
            await self._configure(connection)
        elif config:
            await self._relaunch_with_config(connection)

    async def _relaunch_with_config(self, connection: Connection) -> None:
        """Start a plugin that has no `Configure` again, its configuration in the environment."""
        if not self._launcher.passes_config:
            raise ConfigInvalid(
                f"plugin `{self._reference}` takes no configuration: it has no call Configure",
                code="plugin.config_unsupported",
                hint="remove `config`; configure the service where it runs",
            )
        await connection.close()
        self._connection = await self._launcher.launch(self._config)

    async def start(self, context: Context, imported_state: bytes = b"") -> None:
        """Open what the plugin needs."""
        connection = await self.connection()
        self._context = encode_context(context, imported_state)
        try:
            await self._start(connection)
        except BaseException:
            self._context = None
            raise

    async def stop(self, *, export_state: bool = False) -> bytes:
        """End the plugin for good; return its state where *export_state* asks for it.

        Raises:
            PluginError: It refused to stop, or to give its state; it is ended all the same.
        """
        self._stopped = True
        if self._reviving is not None:
            self._reviving.cancel()
            await asyncio.wait([self._reviving])
        connection = self._connection
        request = pb.StopRequest(export_state=export_state)
        begun = self._context is not None and pb.FEATURE_LIFECYCLE in connection.features
        try:
            if begun and connection.is_alive:
                answer = await self.call(connection, client.STOP, request, STOP_S)
                return answer.exported_state
            if begun and export_state:  # an empty state would pass for what it had gathered
                raise self._state_lost(connection)
        except (faults.PluginCrashed, faults.PluginUnavailable) as error:
            if export_state:
                raise
            self._log.warning("the plugin ended before it was told to", error=str(error))
        finally:
            self._context = None
            await connection.close()
        return b""

    async def call(
        self, connection: Connection, method: Method[R], request: Any, timeout_s: float
    ) -> R:
        """Call the plugin; what goes wrong is a `PluginError`."""
        return await self.guard(
            connection, method.name, connection.client.call(method, request, timeout_s), timeout_s
        )

    async def guard(
        self, connection: Connection, doing: str, work: Awaitable[T], timeout_s: float = 0.0
    ) -> T:
        """Return what *work* gives, its gRPC errors turned into `PluginError`."""
        try:
            return await work
        except grpc.aio.AioRpcError as error:
            raise await self.explain(connection, error, doing, timeout_s) from error

    async def explain(
        self, connection: Connection, error: grpc.aio.AioRpcError, doing: str, timeout_s: float
    ) -> PluginError:
        """Return what *error* means: the plugin died, is late, cannot be reached, or refused."""
        if await self._is_dead(connection, error):
            return self.crashed(connection, doing)
        if error.code() is _LATE:
            return self.late(doing, timeout_s)
        return faults.refused(error, self._reference, doing)

    def crashed(self, connection: Connection, doing: str) -> PluginError:
        """Return the error for an instance that died while it was *doing* something."""
        instance = connection.instance
        if why := connection.was_discarded:
            message = f"plugin `{self._reference}` was ended by the host, because {why}"
            return faults.PluginCrashed(with_last_lines(message, instance.last_lines))
        return faults.crashed(
            self._reference, instance.ended.result(), instance.last_lines, f"during {doing}"
        )

    def late(self, doing: str, timeout_s: float) -> faults.PluginTimeout:
        """Return the error for an answer that did not come in time."""
        return faults.PluginTimeout(
            f"plugin `{self._reference}` did not answer {doing} within {timeout_s:g} s"
        )

    async def _is_dead(self, connection: Connection, error: grpc.aio.AioRpcError) -> bool:
        """Tell whether the instance ended; a connection breaks a moment before that is known."""
        ended: asyncio.Future[Any] = connection.instance.ended
        is_open = connection.client.channel.get_state() is grpc.ChannelConnectivity.READY
        may_be = not is_open or error.code() in _OF_BROKEN_CONNECTIONS
        if may_be and connection.is_alive and error.code() is not _LATE:
            answer = asyncio.ensure_future(connection.is_reachable(_ANSWER_S))
            await asyncio.wait([ended, answer], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() or not answer.result():
                await self._await_end(connection)
            answer.cancel()
        return not connection.is_alive

    async def _await_end(self, connection: Connection) -> None:
        """Wait for the end of an instance that answers nothing; if it lives on, end it."""
        await asyncio.wait([connection.instance.ended], timeout=_DEATH_S)
        if connection.is_alive:
            connection.discard("it takes no connections any more")
            self._mourn(connection)

    async def _revive(self) -> None:
        """Start the plugin again.

        Raises:
            Fatal: It has died too often, or its state with it.
            Retry: It did not start this time.
        """
        dead = self._connection
        if self._stopped:
            raise self._is_stopped()
        is_pardoned, self._pardoned = dead is self._pardoned, None
        if not dead.was_discarded and not is_pardoned:
            self._mourn(dead)
        await dead.close()
        if not is_pardoned:
            self._check_worth(dead)
            await asyncio.sleep(self._deaths.delay_s)
        self._log.warning(self._launcher.again, deaths=self._deaths.count)
        try:
            await self._begin_again()
        except (ConfigInvalid, Retry):
            raise
        except PluginError as error:
            self._deaths.note()
            kind = (
                faults.MemoryExceeded
                if error.code == faults.MemoryExceeded.code
                else faults.PluginCrashed
            )
            raise kind(f"{error}", hint=error.hint) from error

    def _mourn(self, dead: Connection) -> None:
        """Count the death of an instance, once."""
        if dead is not self._mourned:
            self._deaths.note(dead)
        self._mourned = dead

    def _check_worth(self, dead: Connection) -> None:
        instance = dead.instance
        ending = instance.ended.result()
        what = f"plugin `{self._reference}` {ending}"
        if self._stateful and self._context is not None:
            raise self._state_lost(dead)
        if self._deaths.are_too_many:
            window = self._launcher.policy.window_s
            count = self._deaths.count
            message = f"{what}; it has died {count} times within {window:g} s"
            lines = with_last_lines(message, instance.last_lines)
            raise faults.PluginWornOut(lines, **faults.cause(ending))

    def _state_lost(self, dead: Connection) -> faults.StateLost:
        instance = dead.instance
        how = instance.ended.result() if instance.ended.done() else "was ended by the host"
        what = f"plugin `{self._reference}` {how}"
        return faults.StateLost(with_last_lines(what, instance.last_lines))

    async def _begin_again(self) -> None:
        has_configure = pb.FEATURE_CONFIGURE in self._connection.features
        in_environment = None if has_configure else self._config
        connection = await self._launcher.launch(in_environment)
        try:
            self._require_version(connection)
            if has_configure and self._config is not None:
                await self._configure(connection)
            if self._context is not None:
                await self._start(connection)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    def _require_version(self, connection: Connection) -> None:
        """Refuse what has come to stand in the plugin's place: only a reload brings new code in.

        Raises:
            PluginError: It is another version than the one that died.
        """
        before, now = self._connection.metadata.reference, connection.metadata.reference
        if self._launcher.keeps_version and now != before:
            raise PluginError(
                f"plugin `{self._reference}` cannot be started again: {now} is now where "
                f"{before} was",
                hint="`flowctl plugin reload` puts the new version in its place",
            )

    async def _configure(self, connection: Connection) -> None:
        request = pb.ConfigureRequest(config=self._config or b"{}")
        try:
            await self._awaited(connection, client.CONFIGURE, request, CONFIGURE_S)
        except (Retry, ConfigInvalid, faults.PluginTimeout):
            raise
        except PluginError as error:
            raise ConfigInvalid(error.message, code=error.code, hint=error.hint) from error

    async def _start(self, connection: Connection) -> None:
        if pb.FEATURE_LIFECYCLE in connection.features:
            self.started = await self._awaited(connection, client.START, self._context, START_S)

    async def _awaited(
        self, connection: Connection, method: Method[R], request: Any, timeout_s: float
    ) -> R:
        """Call the plugin, and say from time to time that it is what everybody waits for."""
        call = asyncio.ensure_future(self.call(connection, method, request, timeout_s))
        try:
            while not (await asyncio.wait([call], timeout=_LINE_EVERY_S))[0]:
                self._log.info("waiting for the plugin", to=method.name, at_most_s=timeout_s)
        except BaseException:
            call.cancel()
            await asyncio.wait([call])
            raise
        return call.result()
