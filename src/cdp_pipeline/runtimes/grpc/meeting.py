"""Meet a plugin that was just launched: wait until it is ready, learn what it is.

Ready means that `GetMetadata` answers and, where `grpc.health.v1` is served, that it says
`SERVING`; never a line that is printed. Source: `spec/handshake.md`, section 2.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from cdp_pipeline.runtimes.grpc.client import (
    DEFAULT_MAX_MESSAGE_BYTES,
    GET_METADATA,
    Client,
    channel_options,
)
from cdp_pipeline.runtimes.grpc.connection import METADATA_REQUEST, Connection, Instance
from cdp_pipeline.runtimes.grpc.faults import (
    ProtocolUnsupported,
    StartFailed,
    StartTimeout,
    cause,
    refused,
)
from cdp_pipeline.runtimes.grpc.handshake import OLDEST_PROTOCOL
from cdp_pipeline.runtimes.grpc.tls import tls_failure
from cdp_pipeline.runtimes.processes.ending import with_last_lines
from cdp_pipeline.runtimes.processes.listeners import users_on
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import PROTOCOL

START_TIMEOUT_S = 30.0
"""Time in which a plugin must be ready, in seconds."""
_POLL_S = 0.02
_CLOSED = ("ermission denied", "PermissionDenied", "EACCES")
"""How programs word that they may not reach something."""
_LONG_S = 3600.0
"""A deadline beyond any start timeout, which alone ends the wait."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plugin may be found.

    Attributes:
        target: As gRPC names it, `unix:PATH` or `HOST:PORT`.
        is_private: Whether nobody but this user can reach it.
        user: Who alone may listen at it; None is anybody.
    """

    target: str
    is_private: bool
    user: int | None = None

    async def is_open(self) -> bool:
        """Tell whether somebody listens there.

        Raises:
            StartFailed: plugin.port_taken; another user does.
        """
        path = self.target.removeprefix("unix:")
        try:
            if path != self.target:
                if not stat.S_ISSOCK(os.lstat(path).st_mode):
                    return False  # a link would lead to somebody else
                _, writer = await asyncio.open_unix_connection(path)
            else:
                host, _, port = self.target.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return False
        writer.close()
        if path == self.target:
            self._check_user(int(port))
        return True

    def _check_user(self, port: int) -> None:
        """Refuse to hand the launch's secret, and the data, to another user.

        A port that is bound is not safe from others until it is listened on (socket(7),
        `SO_REUSEADDR`).
        """
        if self.user is not None and (others := users_on(port) - {self.user}):
            raise StartFailed(
                f"user {min(others)} listens at `{self.target}`, where the plugin should",
                code="plugin.port_taken",
                hint="run it again: it gets another port; a plugin that knows PLUGIN_SOCKET "
                "needs none",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms host and plugin meet.

    Attributes:
        token: The launch's secret, or empty.
        timeout_s: Time in which it must be ready, in seconds.
        max_message_bytes: Largest message, either way.
        credentials: TLS, or None for plain text.
        options: Further channel arguments.
        hint: What to do where it does not become ready.
    """

    token: str = ""
    timeout_s: float = START_TIMEOUT_S
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    credentials: grpc.ChannelCredentials | None = None
    options: Sequence[tuple[str, Any]] = ()
    hint: str = "it must listen on PLUGIN_SOCKET, or on 127.0.0.1 and PLUGIN_PORT"

    def channel(self, target: str) -> Any:
        """Return a new channel to *target*."""
        arguments = [*channel_options(self.max_message_bytes), *self.options]
        if self.credentials is None:
            return grpc.aio.insecure_channel(target, arguments)
        return grpc.aio.secure_channel(target, self.credentials, arguments)


class Meeting:
    """The wait for one instance to be ready."""

    def __init__(
        self, name: str, instance: Instance, addresses: Sequence[Address], terms: Terms
    ) -> None:
        self._name = name
        self._instance = instance
        self._addresses = addresses
        self._terms = terms
        self._heard = ""

    async def connection(self) -> Connection:
        """Return the connection once the plugin is ready. A failure leaves the instance as it is.

        Raises:
            StartTimeout: It was not ready in time.
            StartFailed: It ended, refused, or speaks another protocol.
            TlsFailed: Its certificate cannot be trusted, or the host's own cannot be used.
            MetadataInvalid: What it says of itself cannot be used.
        """
        ended: asyncio.Future[Any] = self._instance.ended
        meeting = asyncio.ensure_future(self._meet())
        try:
            await asyncio.wait(
                [meeting, ended],
                timeout=self._terms.timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        except BaseException:
            await _abandon(meeting)
            raise
        if meeting.done() and not ended.done():
            return meeting.result()
        await _abandon(meeting)
        raise self._failure()

    def _failure(self) -> StartFailed:
        instance = self._instance
        if instance.ended.done():
            ending = instance.ended.result()
            message = f"plugin `{self._name}` {ending} before it was ready"
            message = with_last_lines(message, instance.last_lines)
            return StartFailed(message, **(_closed(instance.last_lines) | cause(ending)))
        message = f"plugin `{self._name}` was not ready within {self._terms.timeout_s:g} s"
        if self._heard:
            message += f": {self._heard}"
        elif elsewhere := instance.listening():
            where = ", ".join(f"`{address}`" for address in elsewhere)
            message += f": it listens on {where}, not where its environment says"
        message = with_last_lines(message, instance.last_lines)
        return StartTimeout(message, hint=self._terms.hint)

    async def _meet(self) -> Connection:
        address = await self._open_address()
        self._heard = f"it listens on `{address.target}` but does not answer GetMetadata"
        client = Client(self._terms.channel(address.target), self._terms.token)
        try:
            said = await self._metadata(client)
            _check_protocol(said)
            self._heard = "its health service does not say SERVING"
            serves_health = await _wait_serving(client)
            private = address.is_private
            return Connection(
                client, self._instance, said, is_private=private, serves_health=serves_health
            )
        except BaseException:
            await client.close()
            raise

    async def _open_address(self) -> Address:
        """Return an address where somebody listens; those named first are tried first."""
        while True:
            for address in self._addresses:
                if await address.is_open():
                    return address
            await asyncio.sleep(_POLL_S)

    async def _metadata(self, client: Client) -> pb.MetadataResponse:
        """Ask until it answers: a server that is still starting may be unavailable."""
        while True:
            try:
                return await client.call(GET_METADATA, METADATA_REQUEST, _LONG_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    failure = refused(error, self._name, GET_METADATA.name)
                    raise StartFailed(
                        f"expected plugin `{self._name}` to answer GetMetadata, got: {failure}",
                        hint=failure.hint or None,
                    ) from error
                if failed := tls_failure(self._name, error.details() or ""):
                    raise failed from error
                self._heard = (error.details() or "it is unavailable").lower()
            await asyncio.sleep(_POLL_S)


async def _abandon(meeting: asyncio.Future[Connection]) -> None:
    """End a meeting that nobody waits for any more, also one that has just come about."""
    meeting.cancel()
    await asyncio.wait([meeting])
    if not meeting.cancelled() and meeting.exception() is None:
        await meeting.result().client.close()


async def _wait_serving(client: Client) -> bool:
    """Wait until `grpc.health.v1` says SERVING; False where it is not served."""
    while True:
        serving = await client.health(_LONG_S)
        if serving is not False:
            return serving is True
        await asyncio.sleep(_POLL_S)


def _closed(lines: Sequence[str]) -> dict[str, str]:
    """Return a hint for a plugin that says it was kept from something."""
    if not any(word in line for line in lines for word in _CLOSED):
        return {}
    hint = "let manifest and pipeline both grant what it must reach, under `permissions`"
    return {"hint": hint}


def _check_protocol(said: pb.MetadataResponse) -> None:
    """Refuse a plugin outside of the window of three versions.

    Raises:
        ProtocolUnsupported: It is too new or too old.
    """
    spoken = said.protocol
    if spoken == 0 or OLDEST_PROTOCOL <= spoken <= PROTOCOL:
        return
    who = "too new" if spoken > PROTOCOL else "too old"
    window = str(PROTOCOL) if PROTOCOL == OLDEST_PROTOCOL else f"{OLDEST_PROTOCOL} to {PROTOCOL}"
    raise ProtocolUnsupported(
        f"plugin `{said.name}@{said.version}` speaks protocol {spoken}, which is {who}: this "
        f"host speaks {window}",
        hint="use a newer host" if spoken > PROTOCOL else "rebuild the plugin with a newer SDK",
    )
