"""A processor in another process: batches out, answers back, by whatever calls it offers.

Invariant: a batch is answered once, or fails as a whole with an error that says whether a
repetition makes sense; no row is left without an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.encodable import checked, joined
from cdp_pipeline.runtimes.grpc import client
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.faults import PluginTimeout, ProtocolViolation
from cdp_pipeline.runtimes.grpc.handles import (
    HEALTH_S,
    CallTerms,
    GrpcPlugin,
    is_heavy,
    on_thread,
)
from cdp_pipeline.runtimes.grpc.isolation import Isolation
from cdp_pipeline.runtimes.grpc.life import Life
from cdp_pipeline.runtimes.grpc.singles import IN_FLIGHT, process_singly
from cdp_pipeline.runtimes.grpc.sizes import Piece, cut, with_batch
from cdp_pipeline.runtimes.grpc.stream import BatchStream, StreamBroken
from cdpplugin import Batch, Fatal, Outputs, PluginError, PluginMetadata, Retry
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_outputs

_BATCH = pb.ProcessBatchRequest.BATCH_FIELD_NUMBER


class GrpcProcessor(GrpcPlugin):
    """A processor in another process."""

    def __init__(self, life: Life, metadata: PluginMetadata, terms: CallTerms) -> None:
        super().__init__(life, metadata, terms)
        self._stream: tuple[Connection, BatchStream] | None = None
        subject = _Subject(life, self._answer)
        self._isolation: Isolation[Connection] = Isolation(
            subject, logger(plugin=metadata.reference)
        )

    async def stop(self) -> None:
        """Stop the plugin and end its process."""
        if self._stream is not None:
            await self._stream[1].close()
            # The library keeps the connection for as long as a call is held, and a plugin that is
            # told to end may wait for its end (Go's server does, for a second).
            self._stream = None
        await super().stop()

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`.

        A message that ends the plugin, or hangs it, is the error of its row; see `Isolation`.
        A plugin with a state is asked once: what it held has died with it.

        Raises:
            PluginTimeout: The answer was late.
            ProtocolViolation: The answer makes no sense.
            Retry: The plugin died, or asks for a repetition.
            Fatal: It cannot go on.
        """
        return await self._answered(batch, survives=True)

    async def process_batch_once(self, batch: Batch) -> Outputs:
        """Answer *batch* as `process_batch` does, but leave the plugin's death to the caller.

        Raises:
            PluginCrashed: It died; another replica may do better.
        """
        return await self._answered(batch, survives=False)

    async def attempt(self, batch: Batch) -> Outputs:
        """Answer *batch* as `process_batch` does, but look for no message at fault.

        Raises:
            PluginCrashed: It died.
            PluginTimeout: The answer was late.
            ProtocolViolation: The answer makes no sense.
        """
        return await self._answer(await self._life.connection(), batch) if len(batch) else Outputs()

    async def _answered(self, batch: Batch, *, survives: bool) -> Outputs:
        if not len(batch):
            return Outputs()
        if not self._terms.isolates:
            return await self._answer(await self._life.connection(), batch)
        return await self._isolation.answer(batch, survives=survives)

    async def _answer(self, connection: Connection, batch: Batch) -> Outputs:
        """Answer *batch* by one instance; raises as `process_batch` does."""
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
            if isinstance(error, ProtocolViolation) and rows > 1 and self._terms.isolates:
                raise
            return Outputs(errors=dict.fromkeys(range(rows), error))

    async def _ask(self, connection: Connection, piece: Piece) -> pb.ProcessBatchResponse:
        timeout_s = self._terms.deadlines.batch_s(len(piece.rows))
        if pb.FEATURE_STREAM in connection.features:
            try:
                return await self._open_stream(connection).ask(piece.data, timeout_s)
            except TimeoutError:
                # It holds the batch for too long, and nothing else would free it.
                connection.discard()
                raise self._life.late("a batch", timeout_s) from None
            except StreamBroken as broken:
                await self._check_alive(connection, broken)
        request = with_batch(pb.ProcessBatchRequest(), _BATCH, piece.data)
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
        return checked(outputs)

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
            return checked(decode_outputs(answer, rows, self._terms.backings))
        except PluginError as error:
            name = self._metadata.reference
            raise ProtocolViolation(f"plugin `{name}` answered nonsense: {error}") from error


class _Subject:
    """A plugin as `Isolation` has and asks it."""

    def __init__(self, life: Life, ask: Callable[[Connection, Batch], Awaitable[Outputs]]) -> None:
        self._life = life
        self._ask = ask

    async def instance(self) -> Connection:
        return await self._life.connection()

    async def ask(self, instance: Connection, batch: Batch) -> Outputs:
        return await self._ask(instance, batch)

    def pardon(self, instance: Connection) -> None:
        self._life.pardon(instance)

    def excuse(self, instance: Connection) -> None:
        self._life.excuse(instance)
