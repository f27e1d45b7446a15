"""A plugin in another process behind the contract: what every kind has, and the processor.

Invariant: a batch is answered once, or fails as a whole with an error that says whether a
repetition makes sense; no row is left without an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cdp_pipeline.runtimes.grpc import client
from cdp_pipeline.runtimes.grpc.client import DEFAULT_MAX_MESSAGE_BYTES
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.deadlines import Deadlines
from cdp_pipeline.runtimes.grpc.faults import PluginTimeout, ProtocolViolation
from cdp_pipeline.runtimes.grpc.life import Life
from cdp_pipeline.runtimes.grpc.singles import IN_FLIGHT, process_singly
from cdp_pipeline.runtimes.grpc.sizes import Piece, cut, joined
from cdp_pipeline.runtimes.grpc.stream import BatchStream, StreamBroken
from cdpplugin import (
    Batch,
    Context,
    Encoding,
    Fatal,
    HealthStatus,
    Outputs,
    PluginError,
    PluginMetadata,
    Retry,
)
from cdpplugin.backing import BACKINGS, Backings
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_health, decode_outputs

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
    """

    deadlines: Deadlines = field(default_factory=Deadlines)
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    backings: Backings = field(default_factory=lambda: BACKINGS)


class GrpcPlugin:
    """What every kind of plugin has."""

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


class GrpcProcessor(GrpcPlugin):
    """A processor in another process."""

    def __init__(self, life: Life, metadata: PluginMetadata, terms: CallTerms) -> None:
        super().__init__(life, metadata, terms)
        self._stream: tuple[Connection, BatchStream] | None = None

    async def stop(self) -> None:
        """Stop the plugin and end its process."""
        if self._stream is not None:
            await self._stream[1].close()
        await super().stop()

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`.

        Raises:
            PluginTimeout: The answer was late.
            ProtocolViolation: The answer makes no sense.
            Retry: The plugin died, or asks for a repetition.
            Fatal: It cannot go on.
        """
        if not len(batch):
            return Outputs()
        connection = await self._life.connection()
        features = connection.features
        if pb.FEATURE_PROCESS_BATCH not in features and pb.FEATURE_STREAM not in features:
            return await self._singly(connection, batch)
        limit = self._terms.max_message_bytes
        heavy = is_heavy(batch, self._metadata.input_encoding)
        sent = await on_thread(heavy, cut, batch, self._metadata.input_encoding, limit)
        answers = [(p.rows, await self._piece(connection, p, heavy=heavy)) for p in sent.pieces]
        return joined(answers, sent.errors)

    async def _piece(self, connection: Connection, piece: Piece, *, heavy: bool) -> Outputs:
        """Return the answer to one message; rows of a batch that failed as a whole fail each."""
        rows = len(piece.rows)
        try:
            answer = await self._ask(connection, piece)
            outputs: Outputs = await on_thread(heavy, self._decoded, answer, rows)
            return outputs
        except (Retry, Fatal, PluginTimeout):
            raise
        except PluginError as error:
            return Outputs(errors=dict.fromkeys(range(rows), error))

    async def _ask(self, connection: Connection, piece: Piece) -> pb.ProcessBatchResponse:
        timeout_s = self._terms.deadlines.batch_s(len(piece.rows))
        if pb.FEATURE_STREAM in connection.features:
            try:
                return await self._open_stream(connection).ask(piece.message, timeout_s)
            except TimeoutError:
                # It holds the batch for too long, and nothing else would free it.
                connection.discard()
                raise self._life.late("a batch", timeout_s) from None
            except StreamBroken as broken:
                await self._check_alive(connection, broken)
        request = pb.ProcessBatchRequest(batch=piece.message)
        try:
            return await self._life.call(connection, client.PROCESS_BATCH, request, timeout_s)
        except PluginTimeout:
            connection.discard()
            raise

    def _open_stream(self, connection: Connection) -> BatchStream:
        if self._stream is None or self._stream[0] is not connection or not self._stream[1].is_open:
            self._stream = connection, BatchStream(connection.client)
        return self._stream[1]

    async def _check_alive(self, connection: Connection, broken: StreamBroken) -> None:
        """Let a batch whose stream broke be asked alone, if the plugin lives.

        Raises:
            PluginError: It does not, or offers no other way.
        """
        if broken.error is None:
            if not connection.is_alive:
                raise self._life.crashed(connection, "a batch") from broken
            return
        error = await self._life.explain(connection, broken.error, "Stream", 0.0)
        alone = pb.FEATURE_PROCESS_BATCH in connection.features
        if not connection.is_alive or not alone:
            raise error from broken

    async def _singly(self, connection: Connection, batch: Batch) -> Outputs:
        timeout_s = self._terms.deadlines.message_s

        async def call(request: pb.ProcessRequest) -> pb.ProcessResponse:
            try:
                return await self._life.call(connection, client.PROCESS, request, timeout_s)
            except PluginTimeout:
                await self._check_responsive(connection)
                raise

        outputs = await process_singly(
            batch,
            call,
            encoding=self._metadata.input_encoding,
            limit_bytes=self._terms.max_message_bytes,
            in_flight=1 if self._metadata.stateful else IN_FLIGHT,
        )
        return _checked(outputs)

    async def _check_responsive(self, connection: Connection) -> None:
        """End an instance that answers nothing any more after one of its answers was late."""
        try:
            await self._life.guard(connection, "Health", connection.answers(HEALTH_S))
        except PluginError:
            connection.discard()

    def _decoded(self, answer: pb.ProcessBatchResponse, rows: int) -> Outputs:
        """Return an answer as the contract knows it.

        Raises:
            ProtocolViolation: It does not fit the batch.
        """
        try:
            return _checked(decode_outputs(answer, rows, self._terms.backings))
        except PluginError as error:
            name = self._metadata.reference
            raise ProtocolViolation(f"plugin `{name}` answered nonsense: {error}") from error


def is_heavy(batch: Batch, encoding: Encoding) -> bool:
    """Tell whether it takes long to put *batch* into a message."""
    return batch.payloads.encoding != encoding or batch.payloads.size_bytes >= _LARGE_BYTES


async def on_thread(heavy: bool, function: Any, *arguments: Any) -> Any:
    """Call *function*; on a thread where it takes long."""
    return await asyncio.to_thread(function, *arguments) if heavy else function(*arguments)


_check_json = msgspec.json.Decoder(msgspec.Raw).decode


def _checked(outputs: Outputs) -> Outputs:
    """Return *outputs*, rows whose payload is no JSON turned into errors."""
    errors: dict[int, PluginError] = {}
    for part in outputs.parts:
        if part.batch.payloads.encoding in ("json", "sep51"):
            _check_part(part.batch.payloads.json(), part.rows, errors)
    return replace(outputs, errors={**outputs.errors, **errors}) if errors else outputs


def _check_part(
    payloads: Sequence[bytes], rows: Sequence[int], errors: dict[int, PluginError]
) -> None:
    for index, payload in enumerate(payloads):
        try:
            _check_json(payload)
            if not payload.isascii():
                payload.decode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            errors[rows[index]] = PluginError(
                f"expected a payload in JSON, got something else: {error}",
                code="message.payload_invalid",
                hint="this is a fault of the plugin; tell its author",
            )
