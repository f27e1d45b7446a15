"""Meet a plugin: wait until it is ready, and learn what it is and what it can do.

Ready means that `GetMetadata` answers and, where `grpc.health.v1` is served, that it says
`SERVING`; never a line that is printed. Source: `spec/handshake.md`, section 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from cdp_pipeline.runtimes.grpc.client import (
    GET_METADATA,
    Client,
    channel_options,
)
from cdp_pipeline.runtimes.grpc.ending import Ending, with_last_lines
from cdp_pipeline.runtimes.grpc.environment import OLDEST_PROTOCOL
from cdp_pipeline.runtimes.grpc.faults import (
    ProtocolUnsupported,
    StartFailed,
    StartTimeout,
    refused,
)
from cdpplugin import PluginMetadata
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import PROTOCOL, decode_metadata

_POLL_S = 0.02
_HEALTH_PATH = "/grpc.health.v1.Health/Check"


class Instance(Protocol):
    """One running plugin: a process, a container, a service elsewhere.

    Attributes:
        ended: How it ended, once it has.
    """

    ended: asyncio.Future[Ending]

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""

    def kill(self) -> None:
        """End it at once."""

    async def stop(self) -> Ending:
        """End it; every trace of it is gone afterwards."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plugin may be found.

    Attributes:
        target: As gRPC names it, `unix:PATH` or `HOST:PORT`.
        is_private: Whether nobody but this user can reach it.
    """

    target: str
    is_private: bool

    async def answers(self) -> bool:
        """Tell whether somebody listens there."""
        try:
            if self.target.startswith("unix:"):
                _, writer = await asyncio.open_unix_connection(self.target.removeprefix("unix:"))
            else:
                host, _, port = self.target.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return False
        writer.close()
        return True


class Connection:
    """A plugin that is ready.

    Attributes:
        client: Its calls.
        instance: What runs.
        metadata: What it says of itself.
        features: What it can do, as `plugin.v1.Feature` numbers.
        protocol: The protocol version it speaks; 0 knows only GetMetadata and Process.
        sdk: What it was built with, or empty.
        unauthenticated: Whether anybody on this machine can call it.
        serves_health: Whether it serves `grpc.health.v1`.
    """

    def __init__(
        self,
        client: Client,
        instance: Instance,
        said: pb.MetadataResponse,
        *,
        is_private: bool,
        serves_health: bool,
    ) -> None:
        self.client = client
        self.instance = instance
        self.metadata: PluginMetadata = decode_metadata(said)
        self.features = frozenset(int(feature) for feature in said.features)
        self.protocol = said.protocol
        self.sdk = said.sdk
        self.unauthenticated = not is_private and pb.FEATURE_TOKEN not in said.features
        self.serves_health = serves_health
        self.discarded = False

    @property
    def is_alive(self) -> bool:
        """Whether calls can be made."""
        return not self.discarded and not self.instance.ended.done()

    def discard(self) -> None:
        """End the instance at once: it hangs. Whoever calls next gets another."""
        self.discarded = True
        self.instance.kill()

    async def is_serving(self, timeout_s: float) -> bool:
        """Ask `grpc.health.v1`; where it is not served, whether metadata are answered."""
        if not self.serves_health:
            await self.client.call(GET_METADATA, _request(), timeout_s)
            return True
        return await _health(self.client, timeout_s) is not False

    async def close(self) -> Ending:
        """Close the channel and end the instance."""
        self.discarded = True
        await self.client.close()
        return await self.instance.stop()


async def connect(
    instance: Instance,
    addresses: Sequence[Address],
    *,
    name: str,
    token: str,
    timeout_s: float,
    max_message_bytes: int,
    credentials: grpc.ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Connection:
    """Return the connection to *instance* once it is ready at one of *addresses*.

    The instance is left as it is when this fails.

    Raises:
        StartTimeout: It was not ready within *timeout_s*.
        StartFailed: It ended, or speaks another protocol.
        MetadataInvalid: What it says of itself cannot be used.
    """
    meeting = asyncio.create_task(
        _meet(instance, addresses, token, max_message_bytes, credentials, options)
    )
    await asyncio.wait(
        [meeting, instance.ended], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
    )
    if meeting.done():
        return meeting.result()
    meeting.cancel()
    await asyncio.wait([meeting])
    if instance.ended.done():
        message = f"plugin `{name}` {instance.ended.result()} before it was ready"
        raise StartFailed(with_last_lines(message, instance.last_lines))
    message = f"plugin `{name}` was not ready within {timeout_s:g} s"
    raise StartTimeout(with_last_lines(message, instance.last_lines))


async def _meet(
    instance: Instance,
    addresses: Sequence[Address],
    token: str,
    max_message_bytes: int,
    credentials: grpc.ChannelCredentials | None,
    options: Sequence[tuple[str, Any]],
) -> Connection:
    address = await _first_open(addresses)
    arguments = [*channel_options(max_message_bytes), *options]
    if credentials is None:
        channel = grpc.aio.insecure_channel(address.target, arguments)
    else:
        channel = grpc.aio.secure_channel(address.target, credentials, arguments)
    client = Client(channel, token)
    try:
        said = await _metadata(client)
        _check_protocol(said)
        serves_health = await _wait_serving(client)
        return Connection(
            client, instance, said, is_private=address.is_private, serves_health=serves_health
        )
    except BaseException:
        await channel.close()
        raise


async def _first_open(addresses: Sequence[Address]) -> Address:
    """Return the first address where somebody listens, those named first before the others."""
    while True:
        for address in addresses:
            if await address.answers():
                return address
        await asyncio.sleep(_POLL_S)


def _request() -> pb.MetadataRequest:
    return pb.MetadataRequest(protocol_min=OLDEST_PROTOCOL, protocol_max=PROTOCOL)


async def _metadata(client: Client) -> pb.MetadataResponse:
    """Ask who the plugin is until it answers; a server that is still starting may refuse."""
    while True:
        try:
            return await client.call(GET_METADATA, _request(), 600.0)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                failure = refused(error, "the plugin", GET_METADATA.name)
                raise StartFailed(
                    f"expected an answer to GetMetadata, got {failure}", hint=failure.hint
                ) from error
        await asyncio.sleep(_POLL_S)


async def _wait_serving(client: Client) -> bool:
    """Wait until `grpc.health.v1` says SERVING; False where it is not served."""
    while (serving := await _health(client, 600.0)) is False:
        await asyncio.sleep(_POLL_S)
    return serving is True


async def _health(client: Client, timeout_s: float) -> bool | None:
    """Return whether the plugin says SERVING; None where it has no such service."""
    call: Any = client.channel.unary_unary(_HEALTH_PATH)
    request = health_pb2.HealthCheckRequest()
    try:
        data = await call(request.SerializeToString(), timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
            return None
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return False
        raise
    status = health_pb2.HealthCheckResponse.FromString(data).status
    return bool(status == health_pb2.HealthCheckResponse.SERVING)


def _check_protocol(said: pb.MetadataResponse) -> None:
    spoken = said.protocol
    if spoken == 0 or OLDEST_PROTOCOL <= spoken <= PROTOCOL:
        return
    who = "too new" if spoken > PROTOCOL else "too old"
    raise ProtocolUnsupported(
        f"plugin `{said.name}@{said.version}` speaks protocol {spoken}, which is {who}: this "
        f"host speaks {OLDEST_PROTOCOL} to {PROTOCOL}",
        hint="use a newer host" if spoken > PROTOCOL else "rebuild the plugin with a newer SDK",
    )
