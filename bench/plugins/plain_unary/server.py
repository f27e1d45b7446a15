"""Reads and changes every message, one call a message: `grpc.aio` and nothing else."""

from __future__ import annotations

import asyncio
import os

import grpc
import msgspec

from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1.plugin_pb2_grpc import PluginServiceServicer, add_PluginServiceServicer_to_server


class PlainUnary(PluginServiceServicer):
    """The two calls that a plugin must have."""

    async def GetMetadata(  # noqa: N802
        self, request: pb.MetadataRequest, context: object
    ) -> pb.MetadataResponse:
        return pb.MetadataResponse(name="plain-unary", version="1.0.0", type="processor")

    async def Process(  # noqa: N802
        self, request: pb.ProcessRequest, context: object
    ) -> pb.ProcessResponse:
        payload = msgspec.json.decode(request.payload)
        payload["processed"] = True
        return pb.ProcessResponse(
            id=request.id, type=request.type, payload=msgspec.json.encode(payload)
        )


async def main() -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    register = add_PluginServiceServicer_to_server
    register(PlainUnary(), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{os.environ['PLUGIN_SOCKET']}")
    await server.start()
    await server.wait_for_termination()


asyncio.run(main())
