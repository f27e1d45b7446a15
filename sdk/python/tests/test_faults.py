"""What every SDK answers where something is wrong: the table of `spec/vectors/faults.json`."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio
import pytest

import cdpplugin
from cdpplugin import (
    Base,
    Batch,
    HealthStatus,
    Message,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    SourceBatch,
    SourceDescription,
)
from cdpplugin.function import FunctionConsumer, FunctionProcessor
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


@dataclass
class Served:
    """A plugin that is served, its client, and what stops it."""

    stub: PluginServiceStub
    service: PluginService


@asynccontextmanager
async def served(plugin: Plugin, workers: int = 1) -> AsyncIterator[Served]:
    """Serve *plugin* behind a socket and give a client of it."""
    with tempfile.TemporaryDirectory(prefix="cdp-") as folder:
        place = Place(f"unix:{folder}/plugin.sock", max_message_bytes=LIMIT_BYTES)
        server = grpc.aio.server()
        service = PluginService(handle(plugin, workers=workers), place, workers)
        add_PluginServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        server.add_insecure_port(place.address)
        await server.start()
        async with grpc.aio.insecure_channel(place.address) as channel:
            yield Served(PluginServiceStub(channel), service)
        await server.stop(None)


def told(error: pb.Error, *more: str) -> Found:
    """Return an error as the table tells it."""
    name = pb.Error.Instruction.Name(error.instruction).removeprefix("INSTRUCTION_").lower()
    found: Found = {"code": error.code}
    if name != "unspecified":
        found["instruction"] = name
    if "characters" in more:
        found["characters"] = len(error.message)
    return found


async def refused(call: Awaitable[Any], *more: str) -> Found:
    """Return how a call was refused."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    trailer = dict(raised.value.trailing_metadata() or ())
    error = pb.Error.FromString(trailer["cdp-error-bin"])
    return {"status": raised.value.code().name, **told(error, *more)}


def request(*payloads: str, **columns: Any) -> pb.ProcessBatchRequest:
    rows = [payload.encode() for payload in payloads]
    return pb.ProcessBatchRequest(batch=pb.MessageBatch(rows=len(rows), payloads=rows, **columns))


BAD_ROWS = request("1", '"bad"', "3")


async def answered(plugin: Plugin, batch: pb.ProcessBatchRequest) -> pb.ProcessBatchResponse:
    async with served(plugin) as plugin_served:
        answer: pb.ProcessBatchResponse = await plugin_served.stub.ProcessBatch(
            batch, timeout=BOUND_S
        )
        return answer


async def only_row(plugin: Plugin, batch: pb.ProcessBatchRequest, *more: str) -> Found:
    """Return what fails of three rows, where it is the one in the middle alone."""
    answer = await answered(plugin, batch)
    [error] = answer.errors
    assert [0, 2] == list(answer.output_rows)
    return {"row": error.row, **told(error.error, *more)}


async def refused_batch(plugin: Plugin, batch: pb.ProcessBatchRequest) -> Found:
    async with served(plugin) as its:
        return await refused(its.stub.ProcessBatch(batch, timeout=BOUND_S))


async def refused_single(function: Callable[[Message], Any], *more: str) -> Found:
    async with served(of_messages(function)) as its:
        call = its.stub.Process(pb.ProcessRequest(payload=b'"bad"'), timeout=BOUND_S)
        return await refused(call, *more)


def of_messages(function: Callable[[Message], Any]) -> Plugin:
    """Make a processor that does as *function* with the bad row, and passes the others."""

    def call(message: Message) -> Any:
        return function(message) if message.payload == "bad" else message

    return FunctionProcessor(METADATA, call)


def of_batches(function: Callable[[Batch], Any], *, stateful: bool = False) -> Plugin:
    """Make a processor that does as *function* with a batch that holds the bad row."""

    def call(batch: Batch) -> Any:
        return function(batch) if b'"bad"' in batch.payloads.json() else batch

    metadata = PluginMetadata("faulty", "1.0.0", stateful=stateful)
    return FunctionProcessor(metadata, call, batch=True)


def raising(error: Exception) -> Callable[..., NoReturn]:
    def call(*_: Any) -> NoReturn:
        raise error

    return call


BAD = PluginError("bad row", code="test.bad")
LONG = PluginError("x" * LIMIT_BYTES, code="test.long")
UNKNOWN = ValueError("oops")


def grow(message: Message) -> Message:
    """Answer more than any message may hold."""
    message.payload = "x" * LIMIT_BYTES
    return message


@situation("default-limit")
async def default_limit() -> Found:
    return {"bytes": place_of({}).max_message_bytes}


ENVIRONMENTS = {
    "port-zero": {"PLUGIN_PORT": "0"},
    "port-too-high": {"PLUGIN_PORT": "65536"},
    "port-no-number": {"PLUGIN_PORT": "many"},
    "limit-zero": {"PLUGIN_MAX_MESSAGE_BYTES": "0"},
    "limit-too-high": {"PLUGIN_MAX_MESSAGE_BYTES": str(2**31)},
}


@situation(*ENVIRONMENTS)
async def environment(name: str) -> Found:
    with pytest.raises(PluginError) as raised:
        place_of(ENVIRONMENTS[name])
    return {"code": raised.value.code}


@situation("answer-too-large")
async def answer_too_large() -> Found:
    return await refused_batch(of_messages(grow), request('"bad"'))


@situation("single-answer-too-large")
async def single_answer_too_large() -> Found:
    return await refused_single(grow)


@situation("row-error-too-long")
async def row_error_too_long() -> Found:
    return await only_row(of_messages(raising(LONG)), BAD_ROWS, "characters")


@situation("call-error-too-long")
async def call_error_too_long() -> Found:
    return await refused_single(raising(LONG), "characters")


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
        if "payload" in name:
            message.payload = value
        else:
            message.metadata["n"] = value
        return message

    return await only_row(of_messages(change), BAD_ROWS)


def read(message: Message) -> Message:
    """Look at everything."""
    assert message.payload is not None
    assert message.metadata is not None
    return message


@situation("payload-no-json")
async def payload_no_json() -> Found:
    return await only_row(FunctionProcessor(METADATA, read), request("1", "{broken", "3"))


@situation("metadata-no-json", "metadata-no-object")
async def metadata_invalid(name: str) -> Found:
    text = b"{broken" if name == "metadata-no-json" else b"[1]"
    batch = request("1", "2", "3", metadata=[b'{"n":1}', text, b""])
    return await only_row(FunctionProcessor(METADATA, read), batch)


@situation("unknown-error")
async def unknown_error() -> Found:
    return await only_row(of_messages(raising(UNKNOWN)), BAD_ROWS)


@situation("single-unknown-error")
async def single_unknown_error() -> Found:
    return await refused_single(raising(UNKNOWN))


@situation("drop-without-reason")
async def drop_without_reason() -> Found:
    plugin = of_messages(raising(cdpplugin.Drop("")))
    return {"dropped": dict((await answered(plugin, BAD_ROWS)).dropped)}


@situation("batch-unknown-error", "batch-error", "batch-answer-invalid")
async def batch_fails(name: str) -> Found:
    function = {
        "batch-unknown-error": raising(UNKNOWN),
        "batch-error": raising(BAD),
        "batch-answer-invalid": lambda batch: Outputs([OutputPart(batch, [len(batch)])]),
    }[name]
    return await only_row(of_batches(function), BAD_ROWS)


@situation("batch-error-of-stateful")
async def batch_error_of_stateful() -> Found:
    errors = (await answered(of_batches(raising(BAD), stateful=True), BAD_ROWS)).errors
    return {"rows": [error.row for error in errors], **told(errors[0].error)}


@situation("batch-drop")
async def batch_drop() -> Found:
    plugin = of_batches(raising(cdpplugin.Drop("not mine")))
    return {"dropped": dict((await answered(plugin, BAD_ROWS)).dropped)}


@situation("batch-retry", "batch-fatal")
async def batch_instruction(name: str) -> Found:
    error = cdpplugin.Retry() if name == "batch-retry" else cdpplugin.Fatal("enough")
    return await refused_batch(of_batches(raising(error)), BAD_ROWS)


@situation("payloads-that-do-not-mix")
async def payloads_that_do_not_mix() -> Found:
    def change(message: Message) -> Message:
        if message.id == "b":
            message.payload = 1
        return message

    raw = request("\0\1", "\0\2", "\0\3", encoding="xdr", ids=["a", "b", "c"])
    return await refused_batch(FunctionProcessor(METADATA, change), raw)


@situation("credits-exceeded")
async def credits_exceeded() -> Found:
    async def hang(message: Message) -> None:
        await asyncio.Event().wait()

    async with served(FunctionProcessor(METADATA, hang)) as its:
        stream = its.stub.Stream(timeout=BOUND_S)
        for sequence in range((await stream.read()).credits + 1):
            await stream.write(pb.StreamRequest(sequence=sequence + 1, batch=BAD_ROWS.batch))
        return await refused(stream.read())


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


def numbers(positions: Sequence[int], rows: int = 1) -> SourceBatch:
    return SourceBatch(Batch.of("N", [0] * rows), positions)


@situation(
    "source-row-too-large", "positions-missing", "positions-decrease", "positions-decrease-later"
)
async def failed_reading(name: str) -> Found:
    batches = {
        "source-row-too-large": [SourceBatch(Batch.of("N", ["x" * LIMIT_BYTES]), [1])],
        "positions-missing": [numbers([1], rows=2)],
        "positions-decrease": [numbers([2, 1], rows=2)],
        "positions-decrease-later": [numbers([2]), numbers([1])],
    }[name]
    async with served(Listed(*batches)) as its:
        stream = its.stub.Read(timeout=BOUND_S)
        await stream.write(pb.ReadRequest(credits=len(batches)))
        while not (response := await stream.read()).HasField("error"):
            assert not response.ended
        return told(response.error)


@situation("stream-stopping", "read-stopping", "read-ended-stopping", "consume-stopping")
async def stopping(name: str) -> Found:
    plugin: Any = {
        "stream-stopping": of_messages(read),
        "read-stopping": Listed(numbers([1]), numbers([2])),
        "read-ended-stopping": Listed(),
        "consume-stopping": FunctionConsumer(PluginMetadata("c", "1.0.0", "consumer"), read),
    }[name]
    async with served(plugin) as its:
        call = name.partition("-")[0].title()
        stream = getattr(its.stub, call)(timeout=BOUND_S)
        if call == "Read":
            await stream.write(pb.ReadRequest(credits=1))
        if call == "Consume":
            await stream.write(pb.ConsumeRequest(sequence=1))
        await stream.read()
        its.service.readings.stop()
        return {"status": (await refused(stream.read()))["status"]}


class Faulty(Base):
    """A plugin that fails at whatever it is asked first, and counts how often it is stopped."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.stops = 0

    def metadata(self) -> PluginMetadata:
        return METADATA

    def _fail(self) -> None:
        if self._error is not None:
            raise self._error

    async def configure(self, config: Mapping[str, Any]) -> None:
        self._fail()

    async def start(self, context: Any) -> None:
        self._fail()

    async def stop(self) -> None:
        self.stops += 1

    async def process_batch(self, batch: Batch) -> Batch:
        return batch


@situation("config-no-json", "config-no-object", "config-refused", "config-unknown-error")
async def config_invalid(name: str) -> Found:
    texts = {"config-no-json": b"{broken", "config-no-object": b"[1]"}
    errors = {"config-refused": cdpplugin.ConfigInvalid("no"), "config-unknown-error": UNKNOWN}
    config = pb.ConfigureRequest(config=texts.get(name, b"{}"))
    async with served(Faulty(errors.get(name))) as its:  # type: ignore[arg-type]
        return await refused(its.stub.Configure(config, timeout=BOUND_S))


@situation("start-error", "start-unknown-error", "start-retry", "start-fatal", "state-nobody-keeps")
async def start_fails(name: str) -> Found:
    errors: dict[str, Exception] = {
        "start-error": BAD,
        "start-unknown-error": UNKNOWN,
        "start-retry": cdpplugin.Retry(),
        "start-fatal": cdpplugin.Fatal("enough"),
    }
    state = b"state" if name == "state-nobody-keeps" else b""
    async with served(Faulty(errors.get(name))) as its:
        call = its.stub.Start(pb.StartRequest(imported_state=state), timeout=BOUND_S)
        return await refused(call)


@situation("stopped-twice", "stopped-unstarted", "start-failed-and-stopped")
async def stops(name: str) -> Found:
    plugin = Faulty(BAD if name == "start-failed-and-stopped" else None)
    async with served(plugin) as its:
        if name == "start-failed-and-stopped":
            await refused(its.stub.Start(pb.StartRequest(), timeout=BOUND_S))
        elif name == "stopped-twice":
            await its.stub.Start(pb.StartRequest(), timeout=BOUND_S)
            await its.stub.Stop(pb.StopRequest(), timeout=BOUND_S)
        await its.stub.Stop(pb.StopRequest(), timeout=BOUND_S)
    return {"stops": plugin.stops}


class ExportFails(Faulty):
    """A plugin that keeps a state, and cannot give it."""

    async def export_state(self) -> bytes:
        raise UNKNOWN

    async def import_state(self, state: bytes) -> None:
        pass


@situation("export-fails")
async def export_fails() -> Found:
    plugin = ExportFails()
    async with served(plugin) as its:
        await its.stub.Start(pb.StartRequest(), timeout=BOUND_S)
        found = await refused(its.stub.Stop(pb.StopRequest(export_state=True), timeout=BOUND_S))
    return {**found, "stops": plugin.stops}


@situation("health-unknown-error", "health-details-nan")
async def health(name: str) -> Found:
    class Ill(Faulty):
        async def health(self) -> HealthStatus:
            if name == "health-unknown-error":
                raise UNKNOWN
            return HealthStatus("degraded", details={"n": math.nan})

    async with served(Ill()) as its:
        answer = await its.stub.Health(pb.HealthRequest(), timeout=BOUND_S)
    return {"health": answer.status, "details": list(answer.details)}


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
async def test_situation(case: dict[str, Any]) -> None:
    """What comes of it is what the table says."""
    assert case["expected"] == await SITUATIONS[case["name"]]()


def test_the_table_is_whole() -> None:
    """No situation is made that the table does not tell."""
    assert {case["name"] for case in TABLE["cases"]} == set(SITUATIONS)
