"""A source in another process: batches with positions, pulled as the pipeline has room.

Source: `spec/handshake.md`, section 4, Read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cdp_pipeline.runtimes.grpc.faults import ProtocolViolation
from cdp_pipeline.runtimes.grpc.handles import GrpcPlugin
from cdp_pipeline.runtimes.grpc.reading import Reading
from cdpplugin import PluginError, Resume, SourceBatch, SourceDescription
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_description, decode_error, decode_source_batch


class GrpcSource(GrpcPlugin):
    """A source in another process.

    Its call stays open when its stream has ended, or is no longer read: what was read becomes
    durable later, and the source is told so until it is stopped or read again.
    """

    _reading: Reading | None = None

    async def stop(self) -> None:
        """Stop the plugin and end its process, once it has heard of everything durable."""
        await self._end_reading()
        await super().stop()

    async def export_state(self) -> bytes:
        """Stop the plugin as `stop` does, and return its state."""
        await self._end_reading()
        return await super().export_state()

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
        await self._end_reading()
        call = self._reading = Reading(connection.client, self._metadata.reference)
        try:
            await call.begin(after)
            while True:
                response = await self._life.guard(connection, "Read", call.next())
                if response is None:
                    break
                if not response.ended or _holds_more(response):
                    yield self._decoded(response)
                if response.ended:
                    return
                await call.grant()
        finally:
            call.leave()
        if not connection.is_alive:
            raise self._life.crashed(connection, "Read")

    async def acknowledge(self, completed_through: int) -> None:
        """Tell the plugin what is durable, from its first reading to its stop."""
        if self._reading is not None:
            await self._reading.acknowledge(completed_through)

    async def _end_reading(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            await reading.close()

    def _decoded(self, response: pb.ReadResponse) -> SourceBatch:
        """Return a batch.

        Raises:
            PluginError: What the plugin says instead of a batch.
            ProtocolViolation: Its columns do not fit together.
        """
        if response.HasField("error"):
            raise decode_error(response.error)
        try:
            return decode_source_batch(response, self._terms.backings)
        except PluginError as error:
            name = self._metadata.reference
            raise ProtocolViolation(f"plugin `{name}` sent nonsense: {error}") from error


def _holds_more(response: pb.ReadResponse) -> bool:
    """Tell whether *response* holds a batch, a mark or an error beside the word of the end."""
    return any(map(response.HasField, ("batch", "completed_through", "error")))
