"""A source in another process: batches with positions, pulled as the pipeline has room.

Source: `spec/handshake.md`, section 4, Read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cdp_pipeline.runtimes.grpc.client import READ
from cdp_pipeline.runtimes.grpc.duplex import Duplex
from cdp_pipeline.runtimes.grpc.faults import ProtocolViolation
from cdp_pipeline.runtimes.grpc.handles import GrpcPlugin
from cdpplugin import PluginError, Resume, SourceBatch, SourceDescription
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_description, decode_error, decode_source_batch, encode_resume

_AHEAD = 2
"""Batches that the plugin may send before the first is taken."""


class GrpcSource(GrpcPlugin):
    """A source in another process."""

    _reading: Duplex | None = None

    async def describe(self) -> SourceDescription:
        """Return what the plugin said of its stream when it started."""
        started = self._life.started
        if not started.HasField("source"):
            raise ProtocolViolation(
                f"expected plugin `{self._metadata.reference}` to describe its stream when started"
            )
        return decode_description(started.source)

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the plugin's stream; see `cdpplugin.Source`."""
        connection = await self._life.connection()
        if pb.FEATURE_READ not in connection.features:
            raise ProtocolViolation(
                f"plugin `{self._metadata.reference}` is a source without the call Read"
            )
        call = Duplex(connection.client, READ)
        try:
            await call.send(encode_resume(after, _AHEAD))
            self._reading = call
            while (data := await self._life.guard(connection, "Read", call.receive())) is not None:
                yield self._decoded(data)
                await call.send(pb.ReadRequest(credits=1))
        finally:
            self._reading = None
            call.end()
        if not connection.is_alive:
            raise self._life.crashed(connection, "Read")

    async def acknowledge(self, completed_through: int) -> None:
        """Tell the plugin what is durable, where it is reading."""
        if self._reading is not None:
            await self._reading.send(pb.ReadRequest(acknowledged_through=completed_through))

    def _decoded(self, data: bytes) -> SourceBatch:
        """Return a batch.

        Raises:
            PluginError: What the plugin says instead of a batch.
            ProtocolViolation: Its columns do not fit together.
        """
        response = READ.parse(data)
        if response.HasField("error"):
            raise decode_error(response.error)
        try:
            return decode_source_batch(response, self._terms.backings)
        except PluginError as error:
            name = self._metadata.reference
            raise ProtocolViolation(f"plugin `{name}` sent nonsense: {error}") from error
