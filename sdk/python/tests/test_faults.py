"""What every SDK answers where something is wrong: the table of `spec/vectors/faults.json`."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from cdpplugin import Base, Batch, Message, PluginMetadata, SourceBatch, SourceDescription
from cdpplugin.function import FunctionProcessor
from cdpplugin.handles import handle
from cdpplugin.protocols import Plugin
from cdpplugin.server.place import Place, place_of
from cdpplugin.server.service import PluginService
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1.plugin_pb2_grpc import PluginServiceStub, add_PluginServiceServicer_to_server

TABLE = json.loads((Path(__file__).resolve().parents[3] / "spec/vectors/faults.json").read_text())
LIMIT_BYTES = 100_000
BOUND_S = 20.0
METADATA = PluginMetadata("faulty", "1.0.0")
NUMBERS = {"nan": math.nan, "minus-infinity": -math.inf, "infinity": math.inf}

Found = dict[str, Any]
SITUATIONS: dict[str, Callable[[], Awaitable[Found]]] = {}


def situation(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Note how the situations of these names are made; several are told by their name."""

    def note(make: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            SITUATIONS[name] = make if len(names) == 1 else lambda name=name: make(name)
        return make

    return note


@asynccontextmanager
async def served(plugin: Plugin, workers: int = 1) -> AsyncIterator[PluginServiceStub]:
    """Serve *plugin* behind a socket and give a client of it."""
    with tempfile.TemporaryDirectory(prefix="cdp-") as folder:
        place = Place(f"unix:{folder}/plugin.sock", max_message_bytes=LIMIT_BYTES)
        server = grpc.aio.server()
        service = PluginService(handle(plugin, workers=workers), place, workers)
        add_PluginServiceServicer_to_server(service, server)
        server.add_insecure_port(place.address)
        await server.start()
        async with grpc.aio.insecure_channel(place.address) as channel:
            yield PluginServiceStub(channel)
        await server.stop(None)


def told(error: pb.Error) -> Found:
    """Return an error as the table tells it."""
    name = pb.Error.Instruction.Name(error.instruction).removeprefix("INSTRUCTION_").lower()
    instruction = {} if name == "unspecified" else {"instruction": name}
    return {"code": error.code, **instruction}


async def refused(call: Awaitable[Any]) -> Found:
    """Return how a call was refused."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    trailer = dict(raised.value.trailing_metadata() or ())
    error = pb.Error.FromString(trailer["cdp-error-bin"])
    return {"status": raised.value.code().name, **told(error)}


def batch(*payloads: str) -> pb.ProcessBatchRequest:
    rows = [payload.encode() for payload in payloads]
    return pb.ProcessBatchRequest(batch=pb.MessageBatch(rows=len(rows), payloads=rows))


async def bad_row(plugin: Plugin) -> Found:
    """Return what comes of three rows, of which the one in the middle is `bad`."""
    async with served(plugin) as stub:
        answer = await stub.ProcessBatch(batch("1", '"bad"', "3"), timeout=BOUND_S)
    [error] = answer.errors
    assert [0, 2] == list(answer.output_rows)
    return {"row": error.row, **told(error.error)}


def grow(message: Message) -> Message:
    """Answer more than any message may hold."""
    message.payload = "x" * LIMIT_BYTES
    return message


@situation("default-limit")
async def default_limit() -> Found:
    return {"bytes": place_of({}).max_message_bytes}


@situation("answer-too-large")
async def answer_too_large() -> Found:
    async with served(FunctionProcessor(METADATA, grow)) as stub:
        return await refused(stub.ProcessBatch(batch("1"), timeout=BOUND_S))


@situation("single-answer-too-large")
async def single_answer_too_large() -> Found:
    async with served(FunctionProcessor(METADATA, grow)) as stub:
        return await refused(stub.Process(pb.ProcessRequest(payload=b"1"), timeout=BOUND_S))


class Listed(Base):
    """A source of the batches that it is given."""

    def __init__(self, *batches: SourceBatch) -> None:
        self._batches = batches

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("listed", "1.0.0", "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription("listed")

    def read(self, after: Any) -> Iterator[SourceBatch]:
        yield from self._batches


async def failed_reading(*batches: SourceBatch) -> Found:
    """Return the error of a source that gives *batches*."""
    async with served(Listed(*batches)) as stub:
        stream = stub.Read(timeout=BOUND_S)
        await stream.write(pb.ReadRequest(credits=len(batches)))
        while not (response := await stream.read()).HasField("error"):
            assert not response.ended
        return told(response.error)


@situation("source-row-too-large")
async def source_row_too_large() -> Found:
    return await failed_reading(SourceBatch(Batch.of("N", ["x" * LIMIT_BYTES]), [1]))


@situation(
    *(
        f"{held}-{number}"
        for held in ("payload", "nested-payload", "metadata", "nested-metadata")
        for number in NUMBERS
    )
)
async def no_number(name: str) -> Found:
    number = next(value for key, value in NUMBERS.items() if name.endswith(f"-{key}"))
    value = {"deep": [None, {"n": number}]} if name.startswith("nested") else number

    def change(message: Message) -> Message:
        if message.payload == "bad" and "payload" in name:
            message.payload = value
        elif message.payload == "bad":
            message.metadata["n"] = value
        return message

    return await bad_row(FunctionProcessor(METADATA, change))


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
async def test_situation(case: dict[str, Any]) -> None:
    """What comes of it is what the table says."""
    assert case["expected"] == await SITUATIONS[case["name"]]()


def test_the_table_is_whole() -> None:
    """No situation is made that the table does not tell."""
    assert {case["name"] for case in TABLE["cases"]} == set(SITUATIONS)
