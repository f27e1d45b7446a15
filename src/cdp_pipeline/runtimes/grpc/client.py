"""Call a plugin: every call with its deadline, the launch's token and the trace context.

Requests and answers are bytes to gRPC: whoever calls decides on which thread they are
made, and an answer that does not parse is an error of the plugin, not of a log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2

from cdp_pipeline.runtimes.grpc.faults import PluginUnavailable, ProtocolViolation
from cdpplugin.log import traceparent
from cdpplugin.v1 import plugin_pb2 as pb

DEFAULT_MAX_MESSAGE_BYTES = 256 << 20
"""Largest message, either way, in bytes."""

_HEALTH_PATH = "/grpc.health.v1.Health/Check"

R = TypeVar("R", bound=Message)
Channel = Any
"""A `grpc.aio.Channel`."""
StreamCall = Any
"""A `grpc.aio.StreamStreamCall` of bytes."""


class Method(Generic[R]):
    """A call of `plugin.v1.PluginService`.

    Attributes:
        name: Its name.
        parse: Makes its answer of bytes.
    """

    def __init__(self, name: str, parse: Callable[[bytes], R]) -> None:
        self.name = name
        self.path = f"/plugin.v1.PluginService/{name}"
        self._parse = parse

    def parse(self, data: bytes) -> R:
        """Return the answer.

        Raises:
            ProtocolViolation: The bytes are no such message.
        """
        try:
            return self._parse(data)
        except DecodeError as error:
            raise ProtocolViolation(
                f"expected the answer to {self.name}, got {len(data)} bytes that do not parse"
            ) from error


GET_METADATA = Method("GetMetadata", pb.MetadataResponse.FromString)
CONFIGURE = Method("Configure", pb.ConfigureResponse.FromString)
START = Method("Start", pb.StartResponse.FromString)
STOP = Method("Stop", pb.StopResponse.FromString)
HEALTH = Method("Health", pb.HealthResponse.FromString)
PROCESS = Method("Process", pb.ProcessResponse.FromString)
PROCESS_BATCH = Method("ProcessBatch", pb.ProcessBatchResponse.FromString)
FORGET = Method("Forget", pb.ForgetResponse.FromString)
STREAM = Method("Stream", pb.StreamResponse.FromString)
READ = Method("Read", pb.ReadResponse.FromString)
CONSUME = Method("Consume", pb.ConsumeResponse.FromString)


def channel_options(max_message_bytes: int) -> list[tuple[str, Any]]:
    """Return channel arguments; the names are gRPC core's."""
    return [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 10_000),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]


class Client:
    """The calls of one plugin over one channel."""

    def __init__(self, channel: Channel, token: str) -> None:
        self.channel = channel
        self._token = token
        self._unary: dict[str, Any] = {}

    async def call(self, method: Method[R], request: Message | bytes, timeout_s: float) -> R:
        """Return the plugin's answer to *request*.

        Raises:
            grpc.aio.AioRpcError: It refused, or did not answer within *timeout_s*.
            ProtocolViolation: Its answer does not parse.
        """
        return method.parse(await self.call_raw(method, request, timeout_s))

    async def call_raw(
        self, method: Method[Any], request: Message | bytes, timeout_s: float
    ) -> bytes:
        """Return the bytes of the plugin's answer; raises as `call` does."""
        call = self._unary.get(method.name)
        if call is None:
            call = self._unary[method.name] = self.channel.unary_unary(method.path)
        data = request if isinstance(request, bytes) else request.SerializeToString()
        try:
            answer: bytes = await call(data, timeout=timeout_s, metadata=self._metadata())
        except asyncio.CancelledError:
            # The library words the end of the channel like the end of the task.
            task = asyncio.current_task()
            if task and task.cancelling():
                raise
            raise PluginUnavailable(
                f"the connection to the plugin was closed during {method.name}"
            ) from None
        return answer

    def stream(self, method: Method[Any]) -> StreamCall:
        """Begin a long-lived call."""
        return self.channel.stream_stream(method.path)(metadata=self._metadata())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        headers = (("cdp-token", self._token),) if self._token else ()
        trace = traceparent.get()
        return (*headers, ("traceparent", trace)) if trace else headers

    async def health(self, timeout_s: float) -> bool | None:
        """Return whether `grpc.health.v1` says SERVING; None where it is not served.

        Raises:
            grpc.aio.AioRpcError: It gives another error than being unavailable.
        """
        request = health_pb2.HealthCheckRequest().SerializeToString()
        call = self.channel.unary_unary(_HEALTH_PATH)
        try:
            data = await call(request, timeout=timeout_s, metadata=self._metadata())
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND):
                return None
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return False
            raise
        status = health_pb2.HealthCheckResponse.FromString(data).status
        return bool(status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """Close the channel; calls in progress end."""
        await self.channel.close()
