"""`plugin.v1.PluginService` over one plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
from grpc.aio import ServicerContext

import cdpplugin
from cdpplugin import wire
from cdpplugin.batch import Batch
from cdpplugin.errors import ConfigInvalid, Fatal, PluginError
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle, PluginHandle, ProcessorHandle, SourceHandle
from cdpplugin.metadata import HealthStatus
from cdpplugin.outputs import Outputs
from cdpplugin.payloads import decode_json
from cdpplugin.server.place import Place
from cdpplugin.server.sizes import fitting
from cdpplugin.server.source import SourceStream
from cdpplugin.server.status import refusing
from cdpplugin.server.streams import ConsumerStream, ProcessorStream, Readings
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1.plugin_pb2_grpc import PluginServiceServicer

if TYPE_CHECKING:
    Context = ServicerContext[Any, Any]

_NO_OBJECT = "expected the configuration to be a JSON object"
_EVERY = (pb.FEATURE_CONFIGURE, pb.FEATURE_LIFECYCLE, pb.FEATURE_HEALTH)
_OF_KIND = {
    "source": (pb.FEATURE_READ,),
    "processor": (pb.FEATURE_PROCESS_BATCH, pb.FEATURE_STREAM),
    "consumer": (pb.FEATURE_CONSUME, pb.FEATURE_FORGET),
}


class PluginService(PluginServiceServicer):
    """Answers every call of the contract.

    Attributes:
        readings: The open streams' readings, to be ended when the plugin stops.
        started: Whether the plugin was started and not stopped since.
    """

    def __init__(self, handle: PluginHandle, place: Place, workers: int) -> None:
        self.readings = Readings()
        self.started = False
        self._handle = handle
        self._place = place
        self._turns = asyncio.Semaphore(workers)
        self._credits = workers + 1

    async def GetMetadata(  # noqa: N802
        self, request: pb.MetadataRequest, context: Context
    ) -> pb.MetadataResponse:
        """Say who the plugin is."""
        sdk = f"python/{cdpplugin.__version__}"
        return wire.encode_metadata(self._handle.metadata(), self._features(), sdk)

    def _features(self) -> Sequence[pb.Feature]:
        features = [*_EVERY, *_OF_KIND[self._handle.metadata().type]]
        if self._handle.keeps_state:
            features.append(pb.FEATURE_STATE)
        if self._place.token:
            features.append(pb.FEATURE_TOKEN)
        return features

    async def Configure(  # noqa: N802
        self, request: pb.ConfigureRequest, context: Context
    ) -> pb.ConfigureResponse:
        """Hand over the configuration."""
        async with refusing(context, foreign=grpc.StatusCode.INVALID_ARGUMENT):
            await self._handle.configure(_object(request.config or b"{}"))
        return pb.ConfigureResponse()

    async def Start(self, request: pb.StartRequest, context: Context) -> pb.StartResponse:  # noqa: N802
        """Start the plugin; say what it knows of its stream, or how far it is durable."""
        response = pb.StartResponse()
        async with refusing(context):
            self.started = True
            await self._handle.start(wire.decode_context(request))
            if request.imported_state:
                await self._import_state(request.imported_state)
            if isinstance(self._handle, SourceHandle):
                description = wire.encode_description(await self._handle.describe())
                response.source.CopyFrom(description)
            if isinstance(self._handle, ConsumerHandle):
                position = await self._handle.durable_position()
                if position is not None:
                    response.durable_position = position
        return response

    async def _import_state(self, state: bytes) -> None:
        if not self._handle.keeps_state:
            raise Fatal(
                "the plugin was handed a state and keeps none", code="plugin.state_unsupported"
            )
        await self._handle.import_state(state)

    async def Stop(self, request: pb.StopRequest, context: Context) -> pb.StopResponse:  # noqa: N802
        """Stop the plugin."""
        response = pb.StopResponse()
        async with refusing(context):
            try:
                if self.started and request.export_state and self._handle.keeps_state:
                    response.exported_state = await self._handle.export_state()
            finally:
                await self.stop()
        return response

    async def stop(self) -> None:
        """Stop the plugin once, if it was started."""
        if self.started:
            self.started = False
            await self._handle.stop()

    async def Health(self, request: pb.HealthRequest, context: Context) -> pb.HealthResponse:  # noqa: N802
        """Say how the plugin is; one that cannot say is unhealthy."""
        try:
            status = await self._handle.health()
        except Exception as error:
            status = HealthStatus("unhealthy", as_plugin_error(error).message)
        try:
            return wire.encode_health(status)
        except PluginError as error:
            return wire.encode_health(replace(status, details={"details_error": error.message}))

    async def Process(self, request: pb.ProcessRequest, context: Context) -> pb.ProcessResponse:  # noqa: N802
        """Process one message."""
        await self._expect(ProcessorHandle, context)
        async with refusing(context):
            outputs = await self._outputs(wire.decode_request(request))
            return fitting(wire.encode_response(outputs), self._place.max_message_bytes)

    async def ProcessBatch(  # noqa: N802
        self, request: pb.ProcessBatchRequest, context: Context
    ) -> pb.ProcessBatchResponse:
        """Process a batch."""
        await self._expect(ProcessorHandle, context)
        async with refusing(context):
            return await self._answer(request.batch)

    async def Stream(self, requests: AsyncIterator[pb.StreamRequest], context: Context) -> None:  # noqa: N802
        """Process batches, as many at once as the plugin has workers."""
        await self._expect(ProcessorHandle, context)
        async with refusing(context):
            stream = ProcessorStream(context, self._answer, self._credits)
            await stream.run(requests, self.readings)

    async def Read(self, requests: AsyncIterator[pb.ReadRequest], context: Context) -> None:  # noqa: N802
        """Read the source's stream."""
        source = await self._expect(SourceHandle, context)
        async with refusing(context):
            stream = SourceStream(context, source, self._place.max_message_bytes)
            await stream.run(requests, self.readings)

    async def Consume(self, requests: AsyncIterator[pb.ConsumeRequest], context: Context) -> None:  # noqa: N802
        """Hand deliveries to the consumer."""
        consumer = await self._expect(ConsumerHandle, context)
        async with refusing(context):
            await ConsumerStream(context, consumer).run(requests, self.readings)

    async def Forget(self, request: pb.ForgetRequest, context: Context) -> pb.ForgetResponse:  # noqa: N802
        """Let the consumer forget its durable position."""
        consumer = await self._expect(ConsumerHandle, context)
        async with refusing(context):
            return pb.ForgetResponse(done=await consumer.forget(wire.decode_context(request)))

    async def _answer(self, message: pb.MessageBatch) -> pb.ProcessBatchResponse:
        batch = wire.decode_batch(message)
        answer = wire.encode_outputs(await self._outputs(batch), len(batch))
        return fitting(answer, self._place.max_message_bytes)

    async def _outputs(self, batch: Batch) -> Outputs:
        async with self._turns:
            outputs: Outputs = await self._handle.process_batch(batch)  # type: ignore[attr-defined]
        return outputs

    async def _expect(self, kind: Any, context: Context) -> Any:
        """Return the handle where it is of *kind*; else the call has no meaning here."""
        if not isinstance(self._handle, kind):
            actual = self._handle.metadata().type
            await context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"the plugin is a {actual} and has no such call"
            )
        return self._handle


def _object(config: bytes) -> dict[str, Any]:
    """Return a configuration.

    Raises:
        ConfigInvalid: It is no JSON object.
    """
    try:
        value = decode_json(config)
    except PluginError as error:
        raise ConfigInvalid(_NO_OBJECT) from error
    if not isinstance(value, dict):
        raise ConfigInvalid(_NO_OBJECT)
    return value
