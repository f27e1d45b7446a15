"""Reach a plugin that runs elsewhere: one replica or several, plain or with (mutual) TLS.

`address: dns:///HOST:PORT` or `HOST:PORT`. A host that has several addresses has several
replicas; each is its own connection, configured and started by itself, so that no call
reaches a replica that knows nothing of the configuration. gRPC reconnects with backoff.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.config.tls import TlsConfig
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.confining.mechanisms import NO_SANDBOX, Mechanisms
from cdp_pipeline.runtimes.grpc.client import DEFAULT_MAX_MESSAGE_BYTES, Channel
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.faults import PluginUnavailable
from cdp_pipeline.runtimes.grpc.meeting import START_TIMEOUT_S, Address, Meeting, Terms
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdp_pipeline.runtimes.processes.ending import Ending

_ADDRESS = re.compile(
    r"(?:dns:(?://[^/]*/)?)?(?P<host>[^:/\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d+)"
)
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_HINT = (
    "check the address; if it wants TLS, or a certificate of the host, give them in `tls` "
    "(or by the options `--tls-...`)"
)
POLICY = RestartPolicy(initial_delay_s=0.5, max_delay_s=30.0, max_restarts=None)
"""A service elsewhere comes back when it does; the stage's policy says how long to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Certificates, each the path of a PEM file.

    Attributes:
        authority: Who signed the plugin's certificate; None trusts the system's authorities.
        certificate: The host's own certificate, for mutual TLS.
        key: Its private key.
        server_name: The name in the plugin's certificate, where it is not the address's host.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""

    @classmethod
    def of(cls, keys: TlsConfig) -> TlsFiles:
        """Return the files that *keys* of a pipeline name."""
        return cls(
            authority=Path(keys.ca) if keys.ca else None,
            certificate=Path(keys.certificate) if keys.certificate else None,
            key=Path(keys.key) if keys.key else None,
            server_name=keys.server_name,
        )

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what a channel needs.

        Raises:
            ArtifactError: tls.unreadable; a file cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.authority),
            private_key=_read(self.key),
            certificate_chain=_read(self.certificate),
        )


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise ArtifactError(
            f"expected a PEM file: {error.strerror}",
            code="tls.unreadable",
            where=str(path),
            hint="check the path and its permissions",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTerms:
    """How remote plugins are reached.

    Attributes:
        tls: Certificates; None is plain text.
        token: A secret that the plugin expects, or empty.
        start_timeout_s: Time in which it must answer first, in seconds.
        reconnect_timeout_s: Time in which it must answer when it is connected to again.
        max_message_bytes: Largest message, either way.
    """

    tls: TlsFiles | None = None
    token: str = ""
    start_timeout_s: float = START_TIMEOUT_S
    reconnect_timeout_s: float = 5.0
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES

    def for_plugin(self, plugin: PluginConfig) -> RemoteTerms:
        """Return these terms, with what the pipeline says of *plugin* on top."""
        tls = self.tls if plugin.tls is None else TlsFiles.of(plugin.tls)
        return replace(self, tls=tls, token=plugin.token or self.token)


class RemoteInstance:
    """A service elsewhere: it ends, as far as this host is concerned, when its connection does."""

    def __init__(self, where: str) -> None:
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._where = where
        self._watching: asyncio.Task[None] | None = None

    @property
    def last_lines(self) -> list[str]:
        """None: what it prints is seen where it runs."""
        return []

    def listening(self) -> Sequence[str]:
        """None: what it listens on is seen where it runs."""
        return ()

    def watch(self, channel: Channel) -> None:
        """Learn of the end of *channel*, which is ready."""
        self._watching = asyncio.create_task(self._watch(channel))

    async def _watch(self, channel: Channel) -> None:
        await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        self.kill()

    def kill(self) -> None:
        """Leave it; it is not this host's to end."""
        if not self.ended.done():
            self.ended.set_result(Ending(reason=f"lost its connection to `{self._where}`"))

    async def stop(self) -> Ending:
        """Leave it."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        self.kill()
        return self.ended.result()


class RemoteLauncher:
    """Connects to one replica.

    Attributes:
        policy: When it is connected to again.
        again: What that is called in the log.
        passes_config: False: its environment is its own.
        keeps_version: False: whoever runs the service replaces it as they like.
        mechanisms: By what each limit is held.
    """

    policy = POLICY
    again = "connecting to the plugin again"
    passes_config = False
    keeps_version = False

    def __init__(
        self,
        name: str,
        target: str,
        host: str,
        terms: RemoteTerms,
        mechanisms: Mechanisms = NO_SANDBOX,
    ) -> None:
        self.mechanisms = mechanisms
        self._name = name
        self._target = target
        self._host = host
        self._terms = terms
        self._timeout_s = terms.start_timeout_s

    async def launch(self, config: bytes | None) -> Connection:
        """Return a connection to the replica."""
        instance = RemoteInstance(self._target)
        tls = self._terms.tls
        server_name = tls.server_name or self._host if tls else ""
        names = (("grpc.ssl_target_name_override", server_name),) if server_name else ()
        meeting = Meeting(
            self._name,
            instance,
            [Address(self._target, False)],
            Terms(
                token=self._terms.token,
                timeout_s=self._timeout_s,
                max_message_bytes=self._terms.max_message_bytes,
                credentials=tls.credentials() if tls else None,
                options=(*_KEEPALIVE, *names),
                hint=_HINT,
            ),
        )
        connection = await meeting.connection()
        instance.watch(connection.client.channel)
        self._timeout_s = self._terms.reconnect_timeout_s
        if tls is None and not _is_loopback(self._target):
            logger(plugin=self._name).warning("the connection is not encrypted", to=self._target)
        return connection


async def replicas(
    name: str, address: str, terms: RemoteTerms, mechanisms: Mechanisms = NO_SANDBOX
) -> list[RemoteLauncher]:
    """Return a launcher for each replica at *address*; *mechanisms* say what bounds them.

    Raises:
        ArtifactError: plugin.address_invalid; it is no address.
        PluginUnavailable: Its name cannot be resolved for now.
    """
    host, port = address_of(address)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PluginUnavailable(f"the address `{address}` cannot be resolved: {error}") from error
    targets = dict.fromkeys(_target(sockaddr[0], port) for *_, sockaddr in found)
    return [RemoteLauncher(name, target, host, terms, mechanisms) for target in targets]


def address_of(address: str) -> tuple[str, int]:
    """Return host and port of *address*.

    Raises:
        ArtifactError: plugin.address_invalid.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ArtifactError(
            f"expected an address such as `dns:///enrich.example.org:443`, got `{address}`",
            code="plugin.address_invalid",
            hint="write `dns:///HOST:PORT` or `HOST:PORT`",
        )
    return match["host"].strip("[]"), int(match["port"])


def _target(host: object, port: int) -> str:
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _is_loopback(target: str) -> bool:
    return ipaddress.ip_address(target.rpartition(":")[0].strip("[]")).is_loopback
