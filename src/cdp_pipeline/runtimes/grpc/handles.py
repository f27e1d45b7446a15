"""A plugin in another process behind the contract: what every kind has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from cdp_pipeline.runtimes.confining.mechanisms import Mechanisms
from cdp_pipeline.runtimes.deadlines import Deadlines
from cdp_pipeline.runtimes.grpc import client
from cdp_pipeline.runtimes.grpc.client import DEFAULT_MAX_MESSAGE_BYTES
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.life import Life
from cdpplugin import Batch, Context, Encoding, HealthStatus, PluginError, PluginMetadata
from cdpplugin.backing import BACKINGS, Backings
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_health

HEALTH_S = 5.0
_LARGE_BYTES = 1 << 20
"""Batches of this size are encoded and decoded on a thread, so that the event loop goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTerms:
    """How a plugin is called.

    Attributes:
        deadlines: How long its answers may take.
        max_message_bytes: Largest message, either way.
        backings: What makes payload columns of the bytes it answers.
        isolates: Whether a message that ends it is found and its neighbours are asked again.
    """

    deadlines: Deadlines = field(default_factory=Deadlines)
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    backings: Backings = field(default_factory=lambda: BACKINGS)
    isolates: bool = True


class GrpcPlugin:
    """What every kind of plugin has.

    Attributes:
        is_container: Whether it runs in a container.
        confinement: The name of each limit, and of what it may reach, with what bounds it.
    """

    is_container = False
    confinement: Mechanisms = MappingProxyType({})

    def __init__(self, life: Life, metadata: PluginMetadata, terms: CallTerms) -> None:
        self._life = life
        self._metadata = metadata
        self._terms = terms

    def metadata(self) -> PluginMetadata:
        """Return what the plugin said of itself when it was launched, completed by its manifest."""
        return self._metadata

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Hand over the configuration."""
        await self._life.configure(config)

    async def start(self, context: Context, imported_state: bytes = b"") -> None:
        """Start the plugin, with the state of the instance that it replaces, if there is one."""
        await self._life.start(context, imported_state)

    async def stop(self) -> None:
        """Stop the plugin and end its process."""
        await self._life.stop()

    @property
    def keeps_state(self) -> bool:
        """Whether the plugin hands its state over to the instance that replaces it."""
        return pb.FEATURE_STATE in self._life.current.features

    async def export_state(self) -> bytes:
        """Stop the plugin and return its state; called after its last batch, instead of `stop`."""
        return await self._life.stop(export_state=True)

    @property
    def is_alive(self) -> bool:
        """Whether there is an instance to call just now."""
        return self._life.current.is_alive

    async def revive(self) -> None:
        """Start the plugin again if it has died; else do nothing.

        Raises:
            PluginError: It does not start.
        """
        await self._life.connection()

    async def health(self) -> HealthStatus:
        """Ask the plugin how it is; one that cannot say is healthy when it answers at all."""
        connection = self._life.current
        if not connection.is_alive:
            ended = connection.instance.ended
            return HealthStatus("unhealthy", str(ended.result()) if ended.done() else "it hung")
        try:
            status = await self._life.guard(connection, "Health", self._health(connection))
        except PluginError as error:
            return HealthStatus("unhealthy", str(error))
        facts = {"unauthenticated": True} if connection.unauthenticated else {}
        return replace(status, details={**status.details, **facts})

    async def _health(self, connection: Connection) -> HealthStatus:
        if pb.FEATURE_HEALTH in connection.features:
            call = connection.client.call(client.HEALTH, pb.HealthRequest(), HEALTH_S)
            return decode_health(await call)
        if await connection.answers(HEALTH_S):
            return HealthStatus()
        return HealthStatus("unhealthy", "its health service does not say SERVING")


def is_heavy(batch: Batch, encoding: Encoding) -> bool:
    """Tell whether it takes long to put *batch* into a message."""
    return batch.payloads.encoding != encoding or batch.payloads.size_bytes >= _LARGE_BYTES


async def on_thread(heavy: bool, function: Any, *arguments: Any) -> Any:
    """Call *function*; on a thread where it takes long."""
    return await asyncio.to_thread(function, *arguments) if heavy else function(*arguments)
