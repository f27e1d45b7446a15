"""A plugin that is ready: what it is, what it can do, and its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import grpc
import grpc.aio

from cdp_pipeline.runtimes.grpc.client import GET_METADATA, Client
from cdp_pipeline.runtimes.grpc.faults import PluginUnavailable
from cdp_pipeline.runtimes.grpc.handshake import OLDEST_PROTOCOL
from cdp_pipeline.runtimes.processes.ending import Ending
from cdpplugin import PluginError, PluginMetadata
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import PROTOCOL, decode_metadata

METADATA_REQUEST = pb.MetadataRequest(protocol_min=OLDEST_PROTOCOL, protocol_max=PROTOCOL)


class Instance(Protocol):
    """One running plugin: a process, a container, a service elsewhere.

    Attributes:
        ended: How it ended, once it has.
    """

    ended: asyncio.Future[Ending]

    @property
    def last_lines(self) -> list[str]:
        """The last lines it printed."""

    def listening(self) -> Sequence[str]:
        """Return the TCP addresses where it listens, as far as that can be seen."""

    def kill(self) -> None:
        """End it at once."""

    async def stop(self) -> Ending:
        """End it; every trace of it is gone afterwards."""


class Connection:
    """A plugin that is ready.

    Attributes:
        client: Its calls.
        instance: What runs.
        metadata: What it says of itself.
        features: What it can do, as `plugin.v1.Feature` numbers.
        protocol: The protocol version it speaks; 0 knows only GetMetadata and Process.
        sdk: What it was built with, or empty.
        unauthenticated: Whether it takes calls from anybody who reaches its TCP port.
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
        self._discarded = ""

    @property
    def is_alive(self) -> bool:
        """Whether calls can be made."""
        return not self._discarded and not self.instance.ended.done()

    @property
    def was_discarded(self) -> str:
        """Why the host itself has put it out of use, or empty."""
        return self._discarded

    def discard(self, why: str = "it hung") -> None:
        """End the instance at once. Whoever calls next gets another."""
        self._discarded = self._discarded or why
        self.instance.kill()

    async def answers(self, timeout_s: float) -> bool:
        """Ask `grpc.health.v1`; where it is not served, metadata are answered or not.

        Raises:
            grpc.aio.AioRpcError: It gives no answer.
        """
        if self.serves_health:
            return await self.client.health(timeout_s) is not False
        await self.client.call(GET_METADATA, METADATA_REQUEST, timeout_s)
        return True

    async def is_reachable(self, timeout_s: float) -> bool:
        """Tell whether it can be called at all; one that is busy for longer can be."""
        try:
            await self.client.call(GET_METADATA, METADATA_REQUEST, timeout_s)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAVAILABLE
        except PluginError as error:
            return not isinstance(error, PluginUnavailable)
        return True

    async def close(self) -> Ending:
        """Close the channel and end the instance."""
        self._discarded = self._discarded or "it was stopped"
        await self.client.close()
        return await self.instance.stop()
