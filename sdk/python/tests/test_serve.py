"""Plugins in processes of their own, driven by a raw gRPC client."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cdpplugin import wire
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1.plugin_pb2_grpc import PluginServiceStub

from .conftest import LIMIT_BYTES, TOKEN, Launch, Launched

Code = grpc.StatusCode


def tasks(*payloads: dict[str, Any]) -> pb.MessageBatch:
    texts = [json.dumps(payload).encode() for payload in payloads]
    ids = [f"id{row}" for row in range(len(texts))]
    return pb.MessageBatch(rows=len(texts), ids=ids, types=["Task"], payloads=texts)


def task(do: str, **payload: Any) -> pb.ProcessRequest:
    return pb.ProcessRequest(id="a", type="Task", payload=json.dumps({"do": do} | payload).encode())


def error_of(raised: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> tuple[Code, pb.Error]:
    """Return the status and the details of a refused call."""
    error = raised.value
    trailers = dict(error.trailing_metadata() or ())
    return error.code(), pb.Error.FromString(trailers["cdp-error-bin"])


@pytest.fixture(scope="module")
def processor(launch: Launch) -> Launched:
    return launch("processor.py")


@pytest.fixture
async def worker(processor: Launched) -> AsyncIterator[PluginServiceStub]:
    async with processor.connect() as stub:
        yield stub


class TestIdentity:
    async def test_metadata(self, worker: PluginServiceStub) -> None:
        """A plugin says who it is, which protocol it speaks, and what it offers."""
        said = await worker.GetMetadata(pb.MetadataRequest(protocol_min=1, protocol_max=1))
        assert ("worker", "1.2.3", "processor") == (said.name, said.version, said.type)
        assert 1 == said.protocol
        assert said.sdk.startswith("python/")
        expected = {
            pb.FEATURE_CONFIGURE,
            pb.FEATURE_LIFECYCLE,
            pb.FEATURE_HEALTH,
            pb.FEATURE_PROCESS_BATCH,
            pb.FEATURE_STREAM,
        }
        assert expected == set(said.features)
        assert {"type": "object"} == json.loads(said.config_schema)

    async def test_health(self, processor: Launched, worker: PluginServiceStub) -> None:
        """A ready plugin serves the standard health check, and its own."""
        async with processor.channel() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
        assert health_pb2.HealthCheckResponse.SERVING == answer.status
        assert "healthy" == (await worker.Health(pb.HealthRequest())).status

    async def test_calls_of_another_kind(self, worker: PluginServiceStub) -> None:
        """A call that only another kind of plugin has is not implemented."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await worker.Forget(pb.ForgetRequest())
        assert Code.UNIMPLEMENTED == raised.value.code()
        reading = worker.Read()
        assert Code.UNIMPLEMENTED == await reading.code()


class TestLife:
    async def test_configuration(self, worker: PluginServiceStub) -> None:
        """The configuration reaches the author's function; one it refuses is refused with why."""
        await worker.Configure(pb.ConfigureRequest(config=b'{"threshold":0.8}'))
        await worker.Start(pb.StartRequest(pipeline="p", stage="s"))
        answer = await worker.Process(task("config"))
        assert {"threshold": 0.8} == json.loads(answer.payload)["config"]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await worker.Configure(pb.ConfigureRequest(config=b'{"wrong":true}'))
        code, error = error_of(raised)
        assert Code.INVALID_ARGUMENT == code
        assert ("plugin.config_invalid", "leave it out") == (error.code, error.hint)


class TestProcess:
    async def test_output(self, worker: PluginServiceStub) -> None:
        """One message in, one out: what the author did not touch stays as it was."""
        answer = await worker.Process(task("echo"))
        assert ("a", "Task", False) == (answer.id, answer.type, answer.dropped)
        assert {"done": True} == wire.decode_struct(answer.metadata)

    @pytest.mark.parametrize("do", ["drop", "drop with reason"])
    async def test_dropped(self, worker: PluginServiceStub, do: str) -> None:
        """A message that is left out is said to be."""
        assert (await worker.Process(task(do))).dropped

    @pytest.mark.parametrize(
        ("do", "status", "code"),
        [
            ("retry", Code.UNAVAILABLE, "plugin.retry"),
            ("fatal", Code.FAILED_PRECONDITION, "test.enough"),
            ("fail", Code.INVALID_ARGUMENT, "test.bad"),
            ("raise", Code.INVALID_ARGUMENT, "plugin.failed"),
            ("twice", Code.INVALID_ARGUMENT, "plugin.output_invalid"),
            ("number", Code.INVALID_ARGUMENT, "message.number_too_large"),
        ],
    )
    async def test_errors(
        self, worker: PluginServiceStub, do: str, status: Code, code: str
    ) -> None:
        """An instruction travels as a status, its details in a trailer."""
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await worker.Process(task(do))
        got, error = error_of(raised)
        assert (status, code) == (got, error.code)
        if do == "retry":
            assert 1.5 == error.retry_after.ToTimedelta().total_seconds()


class TestProcessBatch:
    async def test_a_bad_row_fails_alone(self, worker: PluginServiceStub) -> None:
        """Outputs, errors and drops name their rows; the good rows keep their outputs."""
        batch = tasks(*({"do": do} for do in ("echo", "fail", "drop with reason", "twice")))
        answer = await worker.ProcessBatch(pb.ProcessBatchRequest(batch=batch))
        assert [0, 3, 3] == list(answer.output_rows)
        assert [(1, "test.bad")] == [(e.row, e.error.code) for e in answer.errors]
        assert {"not wanted": 1} == dict(answer.dropped)

    async def test_too_large(self, worker: PluginServiceStub) -> None:
        """An answer beyond the limit is refused by name."""
        batch = tasks({"do": "grow", "size": LIMIT_BYTES})
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await worker.ProcessBatch(pb.ProcessBatchRequest(batch=batch))
        assert "message.too_large" == error_of(raised)[1].code


class TestStream:
    async def test_answers(self, worker: PluginServiceStub) -> None:
        """Credits come first; each answer names its batch and grants a credit again."""
        stream = worker.Stream()
        granted = await stream.read()
        assert (0, 3) == (granted.sequence, granted.credits)
        for sequence in (1, 2, 3):
            await stream.write(pb.StreamRequest(sequence=sequence, batch=tasks({"do": "echo"})))
        answers = [await stream.read() for _ in range(3)]
        assert {1, 2, 3} == {answer.sequence for answer in answers}
        assert [1, 1, 1] == [answer.credits for answer in answers]
        await stream.done_writing()
        assert grpc.aio.EOF == await stream.read()
        assert Code.OK == await stream.code()

    async def test_workers_work_at_once(self, worker: PluginServiceStub) -> None:
        """A plugin with two workers works on two batches at once: each waits for the other."""
        stream = worker.Stream()
        await stream.read()
        for sequence in (1, 2):
            await stream.write(pb.StreamRequest(sequence=sequence, batch=tasks({"do": "meet"})))
        answers = [await stream.read() for _ in range(2)]
        assert [1, 1] == [answer.answer.outputs.rows for answer in answers]
        stream.cancel()

    @pytest.mark.parametrize(
        ("batch", "code"),
        [
            (tasks({"do": "fatal"}), ""),
            (tasks({"do": "grow", "size": LIMIT_BYTES}), "message.too_large"),
            (pb.MessageBatch(rows=1, encoding="morse"), "plugin.encoding_unsupported"),
            (pb.MessageBatch(rows=2, ids=["a", "b", "c"]), "message.batch_invalid"),
        ],
    )
    async def test_a_batch_that_fails_leaves_the_stream(
        self, worker: PluginServiceStub, batch: pb.MessageBatch, code: str
    ) -> None:
        """A batch that cannot be answered is an error of its own; the stream goes on."""
        stream = worker.Stream()
        await stream.read()
        await stream.write(pb.StreamRequest(sequence=1, batch=batch))
        answer = await stream.read()
        assert (1, code) == (answer.sequence, answer.error.code)
        await stream.write(pb.StreamRequest(sequence=2, batch=tasks({"do": "echo"})))
        assert 1 == (await stream.read()).answer.outputs.rows
        stream.cancel()

    async def test_credits_are_kept(self, launch: Launch) -> None:
        """A host that sends more batches than it has credits is refused."""
        async with launch("counter.py").connect() as counter:
            stream = counter.Stream()
            assert 2 == (await stream.read()).credits
            for sequence in (1, 2, 3):
                batch = tasks({"wait_s": 60})
                await stream.write(pb.StreamRequest(sequence=sequence, batch=batch))
            trailers = dict(await stream.trailing_metadata())
            error = pb.Error.FromString(trailers["cdp-error-bin"])
            assert "plugin.credits_exceeded" == error.code


class TestState:
    async def test_handed_over(self, launch: Launch) -> None:
        """A stateful plugin's successor goes on where it ended."""
        old, new = launch("counter.py"), launch("counter.py")
        batch = tasks({"wait_s": 0}, {})
        async with old.connect() as first, new.connect() as second:
            said = await first.GetMetadata(pb.MetadataRequest())
            assert said.stateful
            assert pb.FEATURE_STATE in said.features
            await first.Start(pb.StartRequest())
            await first.ProcessBatch(pb.ProcessBatchRequest(batch=batch))
            state = (await first.Stop(pb.StopRequest(export_state=True))).exported_state
            await second.Start(pb.StartRequest(imported_state=state))
            answer = await second.ProcessBatch(pb.ProcessBatchRequest(batch=batch))
        assert [b"4"] == list(answer.outputs.payloads)


@pytest.fixture(scope="module")
def source(launch: Launch) -> Launched:
    return launch("source.py")


@pytest.fixture
async def numbers(source: Launched) -> AsyncIterator[PluginServiceStub]:
    async with source.connect() as stub:
        yield stub


async def configured(stub: PluginServiceStub, **config: Any) -> pb.StartResponse:
    await stub.Configure(pb.ConfigureRequest(config=json.dumps(config).encode()))
    started: pb.StartResponse = await stub.Start(pb.StartRequest())
    return started


async def rest(stream: Any) -> list[pb.ReadResponse]:
    """Return what is still to come, without the word that the source has ended."""
    found = []
    while (response := await stream.read()) is not grpc.aio.EOF:
        if response.ended:
            await stream.done_writing()
        else:
            found.append(response)
    return found


def values(response: pb.ReadResponse) -> list[Any]:
    return [json.loads(payload) for payload in response.batch.payloads]


class TestRead:
    async def test_start_describes(self, numbers: PluginServiceStub) -> None:
        """A source that starts says what its stream is."""
        started = await configured(numbers, last=3)
        assert not started.HasField("durable_position")
        description = wire.decode_description(started.source)
        assert ("numbers", 1, 3) == (description.identity, description.first, description.last)

    async def test_credits_and_acknowledgements(self, numbers: PluginServiceStub) -> None:
        """No batch comes without a credit; what is acknowledged reaches the source first."""
        await configured(numbers, last=3)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(credits=1))
        first = await stream.read()
        assert ([1], b"1") == (list(first.positions), first.token)
        await stream.write(pb.ReadRequest(acknowledged_through=1))
        await stream.write(pb.ReadRequest(credits=5))
        second, third = await rest(stream)
        assert 1 == values(second)[0]["acknowledged"]
        assert 3 == values(third)[0]["n"]
        assert Code.OK == await stream.code()

    async def test_goes_on(self, numbers: PluginServiceStub) -> None:
        """A source goes on behind the position it is given; 0 is a position."""
        await configured(numbers, last=2)
        for after, expected in ((0, [1, 2]), (1, [2]), (2, [])):
            stream = numbers.Read()
            await stream.write(pb.ReadRequest(after_position=after, credits=5))
            got = [response.positions[0] for response in await rest(stream)]
            assert expected == got

    async def test_acknowledgements_after_the_end(self, launch: Launch) -> None:
        """A source that has ended says so without a credit, then hears what is durable."""
        launched = launch("source.py")
        async with launched.connect() as stub:
            await configured(stub, last=1)
            stream = stub.Read()
            await stream.write(pb.ReadRequest(credits=2))
            first, end = await stream.read(), await stream.read()
            assert ([1], False, True) == (list(first.positions), first.ended, end.ended)
            await stream.write(pb.ReadRequest(acknowledged_through=-1))
            await stream.write(pb.ReadRequest(acknowledged_through=1))
            await stream.done_writing()
            assert grpc.aio.EOF == await stream.read()
            assert Code.OK == await stream.code()
        launched.wait_for("acknowledged 1\n")
        assert any(
            "an acknowledgement failed: the cursor is lost" in line for line in launched.lines
        )

    async def test_an_acknowledgement_of_the_first_request(
        self, numbers: PluginServiceStub
    ) -> None:
        """What is durable may be told with the position to go on from."""
        await configured(numbers, last=3)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(after_position=1, acknowledged_through=1))
        await stream.write(pb.ReadRequest(credits=5))
        assert [1, 1] == [values(response)[0]["acknowledged"] for response in await rest(stream)]

    async def test_an_acknowledgement_that_fails(self, numbers: PluginServiceStub) -> None:
        """What a source cannot acknowledge ends the reading with that error."""
        await configured(numbers, last=3)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(credits=1))
        await stream.read()
        await stream.write(pb.ReadRequest(acknowledged_through=-1))
        [response] = await rest(stream)
        assert "numbers.cursor" == response.error.code

    async def test_a_host_that_wants_no_more(self, launch: Launch) -> None:
        """The end of the host's side ends the reading, though the source waits for its next row."""
        launched = launch("source.py")
        async with launched.connect() as stub:
            await configured(stub, last=9, wait_at=2)
            stream = stub.Read()
            await stream.write(pb.ReadRequest(credits=2))
            assert [1] == list((await stream.read()).positions)
            await stream.write(pb.ReadRequest(acknowledged_through=1))
            await stream.done_writing()
            assert [] == await rest(stream)
            assert Code.OK == await stream.code()
        launched.wait_for("acknowledged 1\n")

    async def test_failure(self, numbers: PluginServiceStub) -> None:
        """A source that fails says why, behind what it had read."""
        await configured(numbers, last=3, fail_at=2)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(credits=5))
        first, second = await rest(stream)
        assert [1] == list(first.positions)
        error = second.error
        assert ("numbers.missing", "not there yet") == (error.code, error.message)
        assert pb.Error.INSTRUCTION_RETRY == error.instruction

    async def test_large_batches_are_cut(self, numbers: PluginServiceStub) -> None:
        """A batch beyond the limit comes in pieces; only the last completes its position."""
        await configured(numbers, last=1, rows=10, size_bytes=LIMIT_BYTES // 4)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(credits=20))
        pieces = await rest(stream)
        assert len(pieces) > 1
        assert 10 == sum(piece.batch.rows for piece in pieces)
        marks = [piece.completed_through for piece in pieces]
        assert [0] * (len(pieces) - 1) + [1] == marks
        assert [b""] * (len(pieces) - 1) + [b"1"] == [piece.token for piece in pieces]

    async def test_a_row_too_large(self, numbers: PluginServiceStub) -> None:
        """A single row beyond the limit stops the pipeline, by name."""
        await configured(numbers, last=1, size_bytes=LIMIT_BYTES)
        stream = numbers.Read()
        await stream.write(pb.ReadRequest(credits=1))
        [response] = await rest(stream)
        assert "message.too_large" == response.error.code
        assert pb.Error.INSTRUCTION_FATAL == response.error.instruction


def delivery(sequence: int, position: int, *payloads: str) -> pb.ConsumeRequest:
    texts = [json.dumps(payload).encode() for payload in payloads]
    return pb.ConsumeRequest(
        sequence=sequence,
        batch=pb.MessageBatch(rows=len(texts), payloads=texts),
        positions=[position] * len(texts),
        completed_through=position,
    )


class TestConsume:
    async def test_deliveries(self, launch: Launch) -> None:
        """Each delivery is answered: with what is durable, or with why it must come again."""
        async with launch("consumer.py").connect() as keeper:
            started = await keeper.Start(pb.StartRequest())
            assert -1 == started.durable_position
            stream = keeper.Consume()
            flush = pb.ConsumeRequest(sequence=5, completed_through=3, flush=True)
            requests = [
                delivery(1, 1, "a"),
                delivery(2, 2, "fail"),
                delivery(3, 2, "fail"),
                delivery(4, 3),
                flush,
            ]
            answers = [await self._exchange(stream, request) for request in requests]
            assert [1, 2, 3, 4, 5] == [answer.sequence for answer in answers]
            assert [None, None, 2, None, 3] == [self._durable(answer) for answer in answers]
            assert ["", "keeper.full", "", "", ""] == [answer.error.code for answer in answers]
            await stream.done_writing()
            assert grpc.aio.EOF == await stream.read()
            forgotten = await keeper.Forget(pb.ForgetRequest(pipeline="p", stage="s"))
            assert ["forgot p/s"] == list(forgotten.done)

    @staticmethod
    async def _exchange(stream: Any, request: pb.ConsumeRequest) -> pb.ConsumeResponse:
        await stream.write(request)
        answer: pb.ConsumeResponse = await stream.read()
        return answer

    @staticmethod
    def _durable(answer: pb.ConsumeResponse) -> int | None:
        return answer.durable_through if answer.HasField("durable_through") else None


class TestToken:
    async def test_on_tcp(self, launch_on_port: Launch) -> None:
        """On TCP every call needs the token of the launch, except the health check."""
        launched = launch_on_port("processor.py", PLUGIN_TOKEN=TOKEN)
        async with launched.connect() as stub:
            headers = (("cdp-token", TOKEN),)
            said = await stub.GetMetadata(pb.MetadataRequest(), metadata=headers)
            assert pb.FEATURE_TOKEN in said.features
            for wrong in (None, (("cdp-token", "wrong"),)):
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await stub.GetMetadata(pb.MetadataRequest(), metadata=wrong)
                assert Code.UNAUTHENTICATED == raised.value.code()
                assert Code.UNAUTHENTICATED == await stub.Stream(metadata=wrong).code()
        async with launched.channel() as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest()
            )
        assert health_pb2.HealthCheckResponse.SERVING == answer.status

    def test_a_port_that_is_taken(self, launch_on_port: Launch) -> None:
        """A plugin that cannot listen says so and ends with 1; it shares no port."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            launched = launch_on_port("processor.py", port=taken.getsockname()[1])
            assert 1 == launched.wait()
        [line] = [json.loads(line) for line in launched.lines if line.startswith("{")]
        assert ("error", "plugin.address_unavailable") == (line["level"], line["code"])


class TestEnd:
    async def test_calls_in_progress_are_finished(self, launch: Launch, tmp_path: Path) -> None:
        """On SIGTERM the batch at work is answered, the plugin stopped, the status 0."""
        note = tmp_path / "note"
        launched = launch("counter.py", NOTE=str(note))
        async with launched.connect() as counter:
            await counter.Start(pb.StartRequest())
            stream = counter.Stream()
            await stream.read()
            request = pb.StreamRequest(sequence=1, batch=tasks({"wait_s": 0.3}))
            await stream.write(request)
            await asyncio.to_thread(launched.wait_for, "begun\n")
            launched.process.send_signal(signal.SIGTERM)
            answer = await stream.read()
            assert (1, 1) == (answer.sequence, answer.answer.outputs.rows)
            with pytest.raises(grpc.aio.AioRpcError):
                await stream.read()
            assert Code.UNAVAILABLE == await stream.code()
        assert 0 == await asyncio.to_thread(launched.wait)
        assert "stopped at 1" == note.read_text()

    @pytest.mark.parametrize(
        ("call", "begin"),
        [
            ("Read", pb.ReadRequest(credits=1)),
            ("Read", pb.ReadRequest(after_position=3, credits=1)),
            ("Consume", delivery(1, 1, "a")),
        ],
        ids=["a source that goes on", "a source that has ended", "a consumer"],
    )
    async def test_open_streams_are_ended(self, launch: Launch, call: str, begin: Any) -> None:
        """On SIGTERM streams end as unavailable: no host takes that for the end of the data."""
        launched = launch("source.py" if call == "Read" else "consumer.py")
        async with launched.connect() as stub:
            await configured(stub)
            stream = getattr(stub, call)()
            await stream.write(begin)
            await stream.read()
            launched.process.send_signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError):
                await stream.read()
            assert Code.UNAVAILABLE == await stream.code()
        assert 0 == await asyncio.to_thread(launched.wait)

    async def test_a_call_that_hangs(self, launch: Launch) -> None:
        """A function that never returns, and that nobody waits for, does not keep the process."""
        launched = launch("processor.py")
        async with launched.connect() as stub:
            call = stub.Process(task("hang"))
            await asyncio.to_thread(launched.wait_for, "hanging\n")
            call.cancel()
            launched.process.send_signal(signal.SIGTERM)
            assert 1 == await asyncio.to_thread(launched.wait)
        assert "did not end in time" in launched.lines[-1]

    async def test_the_lifeline(self, launch: Launch) -> None:
        """A plugin whose host is gone ends: standard input is at its end."""
        launched = launch("processor.py")
        async with launched.connect():
            assert launched.process.stdin is not None
            launched.process.stdin.close()
            assert 0 == await asyncio.to_thread(launched.wait)


class TestLogs:
    async def test_lines(self, launch: Launch) -> None:
        """What a plugin and its libraries log are JSON lines with the call's trace context."""
        launched = launch("processor.py")
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        async with launched.connect() as stub:
            await stub.Process(task("log"), metadata=(("traceparent", trace),))
        launched.process.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(launched.wait)
        assert "a plain line\n" in launched.lines
        told = self._told(launched.lines)
        own, library = told["a structured line"], told["a library's line"]
        assert ("warning", "test", 3) == (own["level"], own["part"], own["rows"])
        assert ("warning", "library") == (library["level"], library["logger"])
        assert [trace, trace] == [own["traceparent"], library["traceparent"]]

    @staticmethod
    def _told(lines: Sequence[str]) -> dict[str, dict[str, Any]]:
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return {line["message"]: line for line in found}
