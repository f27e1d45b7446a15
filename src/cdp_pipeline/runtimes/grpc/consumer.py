"""A consumer in another process: deliveries in, positions through which it is durable out.

Source: `spec/handshake.md`, section 4, Consume.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from cdp_pipeline.runtimes.grpc import client
from cdp_pipeline.runtimes.grpc.client import CONSUME
from cdp_pipeline.runtimes.grpc.connection import Connection
from cdp_pipeline.runtimes.grpc.duplex import Duplex
from cdp_pipeline.runtimes.grpc.faults import PluginTimeout, ProtocolViolation
from cdp_pipeline.runtimes.grpc.handles import CallTerms, GrpcPlugin, is_heavy, on_thread
from cdp_pipeline.runtimes.grpc.life import Life
from cdp_pipeline.runtimes.grpc.replay import Replay
from cdp_pipeline.runtimes.grpc.singles import process_singly
from cdp_pipeline.runtimes.grpc.sizes import Piece, cut, with_batch
from cdpplugin import Batch, Context, Delivery, PluginMetadata
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire import decode_error

FORGET_S = 300.0
_BATCH = pb.ConsumeRequest.BATCH_FIELD_NUMBER


class GrpcConsumer(GrpcPlugin):
    """A consumer in another process; see `Replay` for what happens when it dies."""

    def __init__(self, life: Life, metadata: PluginMetadata, terms: CallTerms) -> None:
        super().__init__(life, metadata, terms)
        self._replay = Replay(metadata.reference)
        self._stream: tuple[Connection, Duplex] | None = None
        self._fed: Connection | None = None
        self._sequence = 0
        self._durable: int | None = None

    async def stop(self) -> None:
        """Stop the plugin and end its process."""
        self._end_stream()
        await super().stop()

    async def durable_position(self) -> int | None:
        """Return what the plugin said when it started."""
        started = self._life.started
        return started.durable_position if started.HasField("durable_position") else None

    async def consume(self, delivery: Delivery) -> int | None:
        """Hand over *delivery*; see `cdpplugin.Consumer`."""
        connection = await self._fed_connection()
        if pb.FEATURE_CONSUME not in connection.features:
            await self._singly(connection, delivery.batch)
            return delivery.completed_through
        await self._hand_over(connection, delivery)
        self._replay.keep(delivery)
        return self._news()

    async def flush(self) -> int | None:
        """Ask the plugin to make everything durable."""
        connection = await self._fed_connection()
        if pb.FEATURE_CONSUME not in connection.features:
            return None
        through = self._replay.taken_through
        request = pb.ConsumeRequest(flush=True, completed_through=through)
        await self._ask(connection, request, self._terms.deadlines.durable_s)
        return self._news()

    async def forget(self, context: Context) -> Sequence[str]:
        """Let the plugin forget its position; one that keeps none has nothing to forget."""
        connection = await self._life.connection()
        if pb.FEATURE_FORGET not in connection.features:
            return []
        request = pb.ForgetRequest(
            pipeline=context.pipeline, stage=context.stage, network=context.network
        )
        answer = await self._life.call(connection, client.FORGET, request, FORGET_S)
        return list(answer.done)

    async def _fed_connection(self) -> Connection:
        """Return an instance that holds, or has made durable, all that was handed over before."""
        connection = await self._life.connection()
        if connection is not self._fed:
            held = await self.durable_position()
            if self._fed is None:
                self._replay.begin_at(held)
            elif held is not None:
                self._note(held, held)
            for delivery in self._replay.deliveries():
                await self._hand_over(connection, delivery)
            self._fed = connection
        return connection

    async def _hand_over(self, connection: Connection, delivery: Delivery) -> None:
        """Send *delivery* in as many messages as it takes; the last one carries its mark."""
        encoding = self._metadata.input_encoding
        heavy = is_heavy(delivery.batch, encoding)
        limit = self._terms.max_message_bytes
        sent = await on_thread(heavy, cut, delivery.batch, encoding, limit)
        if sent.errors:
            raise next(iter(sent.errors.values()))
        timeout_s = max(
            self._terms.deadlines.durable_s, self._terms.deadlines.batch_s(len(delivery.batch))
        )
        requests = list(_requests(sent.pieces, delivery))
        for number, (request, data) in enumerate(requests):
            try:
                await self._ask(connection, request, timeout_s, data)
            except BaseException:
                if number:  # it holds half of the delivery, which nobody can take back
                    connection.discard()
                raise

    async def _ask(
        self,
        connection: Connection,
        request: pb.ConsumeRequest,
        timeout_s: float,
        batch: bytes | None = None,
    ) -> None:
        """Send *request*, with *batch* in it, and take the answer.

        Raises:
            PluginTimeout: No answer came in time.
            ProtocolViolation: The answer is to another request.
            PluginError: The plugin could not take it, or has died.
        """
        self._sequence += 1
        request.sequence = self._sequence
        try:
            async with asyncio.timeout(timeout_s):
                whole = request if batch is None else with_batch(request, _BATCH, batch)
                data = await self._exchange(connection, whole)
        except TimeoutError:
            self._end_stream()
            connection.discard()
            raise self._life.late("a delivery", timeout_s) from None
        except BaseException:
            self._end_stream()
            raise
        response = CONSUME.parse(data)
        if response.sequence != self._sequence:
            self._end_stream()
            raise ProtocolViolation(
                f"expected an answer to delivery {self._sequence}, got one to {response.sequence}"
            )
        if response.HasField("error"):
            raise decode_error(response.error)
        if response.HasField("durable_through"):
            self._note(response.durable_through, request.completed_through)

    async def _exchange(self, connection: Connection, request: pb.ConsumeRequest | bytes) -> bytes:
        if self._stream is None or self._stream[0] is not connection:
            self._stream = connection, Duplex(connection.client, CONSUME)
        call = self._stream[1]
        await call.send(request)
        data = await self._life.guard(connection, "Consume", call.receive())
        if data is None:
            if not connection.is_alive:
                raise self._life.crashed(connection, "Consume")
            raise ProtocolViolation("expected an answer to a delivery, got the end of the stream")
        return data

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream[1].end()
            self._stream = None

    def _note(self, through: int, handed_through: int) -> None:
        """Take note that everything at or before *through* is durable.

        Raises:
            ProtocolViolation: That is more than the consumer was handed.
        """
        known = max(self._replay.taken_through, handed_through)
        if through > known:
            name = self._metadata.reference
            raise ProtocolViolation(
                f"plugin `{name}` calls position {through} durable; it was handed those to {known}"
            )
        self._durable = through if self._durable is None else max(self._durable, through)
        self._replay.let_go(through)

    def _news(self) -> int | None:
        """Return through which position everything is durable, where that was said anew."""
        durable, self._durable = self._durable, None
        return durable

    async def _singly(self, connection: Connection, batch: Batch) -> None:
        """Hand over each message by itself, in order; raises what the first bad one raised."""
        timeout_s = self._terms.deadlines.message_s

        async def call(request: pb.ProcessRequest) -> pb.ProcessResponse:
            try:
                return await self._life.call(connection, client.PROCESS, request, timeout_s)
            except PluginTimeout:
                connection.discard()
                raise

        outputs = await process_singly(
            batch,
            call,
            encoding=self._metadata.input_encoding,
            limit_bytes=self._terms.max_message_bytes,
            in_flight=1,
        )
        if outputs.errors:
            raise outputs.errors[min(outputs.errors)]


def _requests(
    pieces: Sequence[Piece], delivery: Delivery
) -> Iterator[tuple[pb.ConsumeRequest, bytes | None]]:
    """Yield *delivery* in as many requests, and their batches, as there are pieces.

    Only the last has its mark.
    """
    if not pieces:
        yield pb.ConsumeRequest(completed_through=delivery.completed_through), None
    for piece in pieces:
        positions = [delivery.positions[row] for row in piece.rows]
        is_last = piece is pieces[-1]
        mark = delivery.completed_through if is_last else positions[0] - 1
        request = pb.ConsumeRequest(
            positions=positions, completed_through=min(mark, delivery.completed_through)
        )
        yield request, piece.data
