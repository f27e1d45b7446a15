"""A plugin without the SDK, made of stubs alone: its first argument says how it behaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from contextlib import suppress

import grpc

from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1 import plugin_pb2_grpc as stubs

MODE = sys.argv[1] if len(sys.argv) > 1 else "plain"
BATCH = (pb.FEATURE_PROCESS_BATCH,)
SERVER = []
STREAM = (pb.FEATURE_PROCESS_BATCH, pb.FEATURE_STREAM)


def echoed(batch):
    return pb.ProcessBatchResponse(outputs=batch)


class Plugin(stubs.PluginServiceServicer):
    features = ()
    protocol = 1
    kind = "processor"

    def GetMetadata(self, request, context):
        return pb.MetadataResponse(
            name="raw",
            version="1.0.0",
            type=self.kind,
            protocol=self.protocol,
            features=self.features,
        )

    def Process(self, request, context):
        return pb.ProcessResponse(id=request.id, type="Answer", payload=request.payload)

    def ProcessBatch(self, request, context):
        return self.answer(request.batch)

    def Stream(self, requests, context):
        yield pb.StreamResponse(credits=2)
        for request in requests:
            answer = self.answer(request.batch)
            yield pb.StreamResponse(sequence=request.sequence, answer=answer, credits=1)

    def answer(self, batch):
        return echoed(batch)


class Plain(Plugin):
    """Knows GetMetadata and Process only."""

    protocol = 0


class Configured(Plain):
    """Answers with the configuration of its environment."""

    def Process(self, request, context):
        payload = os.environ.get("PLUGIN_CONFIG", "null").encode()
        return pb.ProcessResponse(id=request.id, type="Config", payload=payload)


class Streaming(Plugin):
    features = STREAM


class Batching(Plugin):
    features = BATCH


class Environment(Streaming):
    """Answers with its whole environment."""

    def answer(self, batch):
        facts = json.dumps({"environ": dict(os.environ), "cwd": os.getcwd()}).encode()
        return echoed(pb.MessageBatch(rows=batch.rows, payloads=[facts]))


class DiesMidBatch(Streaming):
    """Dies of a signal as soon as it sees a message of type `Poison`."""

    def answer(self, batch):
        if "Poison" in batch.types:
            print("about to die", file=sys.stderr, flush=True)
            signal.raise_signal(signal.SIGSEGV)
        return echoed(batch)


class DiesOnce(Streaming):
    """Dies at its first batch, and never again."""

    def answer(self, batch):
        marker = sys.argv[2]
        if not os.path.exists(marker):
            open(marker, "w").close()
            os._exit(3)
        return echoed(batch)


class Exits(Streaming):
    """Exits at a message of type `Poison`; its first argument names a file that tells each end."""

    def answer(self, batch):
        if "Poison" in batch.types:
            with open(sys.argv[2], "a") as file:
                file.write(f"{batch.rows}\n")
            os._exit(4)
        return echoed(batch)


class ExitsSingly(Plain):
    """Knows GetMetadata and Process only, and exits at a message of type `Poison`."""

    def Process(self, request, context):
        if request.type == "Poison":
            os._exit(4)
        return super().Process(request, context)


class SlowBatches(Streaming):
    """Takes longer for a batch of more than ten rows than any host waits."""

    def answer(self, batch):
        if batch.rows > 10:
            threading.Event().wait()
        return echoed(batch)


class AnswersNothing(Streaming):
    """Exits at every batch; its first argument names a file that tells each end."""

    def answer(self, batch):
        with open(sys.argv[2], "a") as file:
            file.write(f"{batch.rows}\n")
        os._exit(5)


class ClosesSocket(Streaming):
    """Stops to listen at a message of type `Close`, and lives on."""

    def answer(self, batch):
        if "Close" in batch.types:
            SERVER[0].stop(None)
            threading.Event().wait()
        return echoed(batch)


class Hangs(Streaming):
    """Never answers a message of type `Slow`."""

    def answer(self, batch):
        if "Slow" in batch.types:
            threading.Event().wait()
        return echoed(batch)


class HangsAll(Streaming):
    """Never answers a batch."""

    def answer(self, batch):
        threading.Event().wait()


class SinglesHang(Plain):
    """Never answers a message of type `Slow`; goes on with the others."""

    def Process(self, request, context):
        if request.type == "Slow":
            threading.Event().wait(60)
        return super().Process(request, context)


class SinglesBusy(Plain):
    """Refuses type `Again` for now; answers nobody else while it works on a `Slow` one."""

    def Process(self, request, context):
        if request.type == "Again":
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if request.type == "Slow":
            open(sys.argv[2], "w").close()
            while os.path.exists(sys.argv[2]):
                time.sleep(0.01)
        return super().Process(request, context)


class SinglesLate(Plain):
    """Answers a message of type `Slow` when the next one of another type comes."""

    def __init__(self):
        self.next = threading.Event()

    def Process(self, request, context):
        if request.type == "Slow":
            self.next.wait()
        self.next.set()
        return super().Process(request, context)


class Deaf(Plain):
    """Answers GetMetadata once, and hangs for ever with all its threads at type `Slow`."""

    def Process(self, request, context):
        if request.type == "Slow":
            signal.raise_signal(signal.SIGSTOP)
        return super().Process(request, context)


class Singles(Plain):
    """Answers each message by its type."""

    def Process(self, request, context):
        codes = {
            "Bad": grpc.StatusCode.INVALID_ARGUMENT,
            "Odd": grpc.StatusCode.INTERNAL,
            "Again": grpc.StatusCode.UNAVAILABLE,
            "Stop": grpc.StatusCode.FAILED_PRECONDITION,
        }
        if request.type in codes:
            context.abort(codes[request.type], f"refused {request.id}")
        if request.type == "Drop":
            return pb.ProcessResponse()
        return super().Process(request, context)


class UnknownRows(Streaming):
    def answer(self, batch):
        return pb.ProcessBatchResponse(outputs=batch, output_rows=[batch.rows] * batch.rows)


class DecreasingRows(Streaming):
    def answer(self, batch):
        rows = list(reversed(range(batch.rows)))
        return pb.ProcessBatchResponse(outputs=batch, output_rows=rows)


class Nonsense(Streaming):
    """Answers with unknown rows where a message is of type `Odd`."""

    def answer(self, batch):
        rows = [batch.rows] * batch.rows if "Odd" in batch.types else []
        return pb.ProcessBatchResponse(outputs=batch, output_rows=rows)


class Enlarges(Streaming):
    """Answers each message with one of ten kilobytes."""

    def answer(self, batch):
        payloads = [b'"' + b"x" * 10_000 + b'"'] * batch.rows
        return echoed(pb.MessageBatch(rows=batch.rows, payloads=payloads))


class ManyRows(Streaming):
    def answer(self, batch):
        return echoed(pb.MessageBatch(rows=batch.rows + 5, payloads=[b"1"]))


class UnevenColumns(Streaming):
    def answer(self, batch):
        return echoed(pb.MessageBatch(rows=batch.rows, payloads=[b"1"] * 2, ids=["a", "b", "c"]))


class NotJson(Streaming):
    """Answers one payload that is no JSON."""

    def answer(self, batch):
        payloads = [b"{broken" if p == b'"bad"' else p for p in batch.payloads]
        return echoed(pb.MessageBatch(rows=batch.rows, payloads=payloads, types=batch.types))


class UnknownSequence(Streaming):
    def Stream(self, requests, context):
        yield pb.StreamResponse(credits=1)
        for request in requests:
            yield pb.StreamResponse(sequence=request.sequence + 77, answer=echoed(request.batch))


class Backwards(Streaming):
    """Answers two batches at a time, the second first."""

    def Stream(self, requests, context):
        yield pb.StreamResponse(credits=2)
        while True:
            pair = [next(requests), next(requests)]
            for r in reversed(pair):
                yield pb.StreamResponse(sequence=r.sequence, answer=echoed(r.batch), credits=1)


class EndsStream(Streaming):
    """Ends each stream after one batch, unanswered."""

    def Stream(self, requests, context):
        yield pb.StreamResponse(credits=1)
        next(requests)
        context.abort(grpc.StatusCode.INTERNAL, "stream handler failed")


class NoCredits(Streaming):
    """Never grants a credit."""

    def Stream(self, requests, context):
        for _ in requests:
            pass
        yield pb.StreamResponse()


class TooMuch(Streaming):
    """Answers with more than the host takes."""

    def answer(self, batch):
        size = int(os.environ["PLUGIN_MAX_MESSAGE_BYTES"])
        return echoed(pb.MessageBatch(rows=batch.rows, payloads=[b'"' + b"x" * size + b'"']))


class Newer(Plugin):
    protocol = 99


class HangsAtStart(Plugin):
    def GetMetadata(self, request, context):
        threading.Event().wait()


class Lies(Plugin):
    """A source, whatever its manifest says."""

    kind = "source"


class Forks(Streaming):
    """Starts children that ignore SIGTERM, one in a session of its own."""

    def __init__(self):
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        for new_session in (False, True):
            subprocess.Popen([sys.executable, "-c", code], start_new_session=new_session)


class Stubborn(Streaming):
    """Ignores SIGTERM."""

    def __init__(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Floods(Streaming):
    """Prints far more than anybody reads, before it answers."""

    def answer(self, batch):
        for number in range(100_000):
            print("noise", number)
        print(json.dumps({"level": "error", "message": "the last word"}), flush=True)
        return echoed(batch)


class Lossy(Plugin):
    """A consumer that claims more than it was handed."""

    kind = "consumer"
    features = (pb.FEATURE_CONSUME,)

    def Consume(self, requests, context):
        for request in requests:
            yield pb.ConsumeResponse(sequence=request.sequence, durable_through=10**6)


class SingleConsumer(Plain):
    kind = "consumer"


def numbered(*positions, **more):
    payloads = [str(position).encode() for position in positions]
    batch = pb.MessageBatch(rows=len(positions), payloads=payloads, types=["N"])
    return pb.ReadResponse(batch=batch, positions=positions, **more)


class Ends(Plugin):
    """A source of two rows that ends the call with its stream, and says nothing of it."""

    kind = "source"
    features = (pb.FEATURE_READ,)

    def Read(self, requests, context):
        yield numbered(1)
        yield numbered(2)


class EndsWithLastRow(Ends):
    """A source that says with its last row that it has ended."""

    def Read(self, requests, context):
        yield numbered(1)
        yield numbered(2, ended=True)
        for request in requests:
            if request.HasField("acknowledged_through"):
                print("acknowledged", request.acknowledged_through, flush=True)


class DiesAfterTheEnd(Ends):
    """A source that dies of the first acknowledgement after its end."""

    def Read(self, requests, context):
        yield numbered(1)
        yield numbered(2)
        yield pb.ReadResponse(ended=True)
        for request in requests:
            if request.HasField("acknowledged_through"):
                os._exit(5)


class NeverHangsUp(Ends):
    """A source that keeps its side of the call open for ever."""

    def Read(self, requests, context):
        yield numbered(1)
        yield pb.ReadResponse(ended=True)
        threading.Event().wait(60)


class Garbage(grpc.GenericRpcHandler):
    """Answers every call but GetMetadata with bytes that are no message."""

    def service(self, details):
        if details.method.endswith("/GetMetadata"):
            said = pb.MetadataResponse(name="raw", version="1.0.0", type="processor", protocol=1)
            said.features.extend(STREAM)
            data = said.SerializeToString()
            return grpc.unary_unary_rpc_method_handler(lambda request, context: data)
        if details.method.endswith("/Stream"):
            return grpc.stream_stream_rpc_method_handler(lambda r, c: iter([b"\xff\xff garbage"]))
        if details.method.startswith("/plugin"):
            return grpc.unary_unary_rpc_method_handler(lambda r, c: b"\xff\xff garbage")
        return None


MODES = {
    "plain": Plain,
    "configured": Configured,
    "streaming": Streaming,
    "batching": Batching,
    "environment": Environment,
    "dies-mid-batch": DiesMidBatch,
    "dies-once": DiesOnce,
    "starts-once": DiesOnce,
    "exits": Exits,
    "exits-singly": ExitsSingly,
    "slow-batches": SlowBatches,
    "answers-nothing": AnswersNothing,
    "closes-socket": ClosesSocket,
    "hangs": Hangs,
    "hangs-all": HangsAll,
    "singles": Singles,
    "singles-hang": SinglesHang,
    "singles-busy": SinglesBusy,
    "singles-late": SinglesLate,
    "deaf": Deaf,
    "unknown-rows": UnknownRows,
    "decreasing-rows": DecreasingRows,
    "nonsense": Nonsense,
    "enlarges": Enlarges,
    "many-rows": ManyRows,
    "uneven-columns": UnevenColumns,
    "not-json": NotJson,
    "unknown-sequence": UnknownSequence,
    "backwards": Backwards,
    "ends-stream": EndsStream,
    "no-credits": NoCredits,
    "too-much": TooMuch,
    "newer": Newer,
    "hangs-at-start": HangsAtStart,
    "lies": Lies,
    "forks": Forks,
    "stubborn": Stubborn,
    "floods": Floods,
    "lossy": Lossy,
    "single-consumer": SingleConsumer,
    "ends": Ends,
    "ends-with-last-row": EndsWithLastRow,
    "dies-after-the-end": DiesAfterTheEnd,
    "never-hangs-up": NeverHangsUp,
}


def serve_http():
    """Answer whatever comes as a web server does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ["PLUGIN_SOCKET"])
    listener.listen()
    while True:
        peer = listener.accept()[0]
        with peer, suppress(OSError):
            peer.recv(1024)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def main():
    if MODE == "dies-at-start":
        print("no such model: fraud.joblib", file=sys.stderr)
        sys.exit(7)
    if MODE == "ended-at-start":
        signal.raise_signal(signal.SIGKILL)
    if MODE == "silent":
        time.sleep(600)
    if MODE == "starts-once" and os.path.exists(sys.argv[2]):
        print("not again", flush=True)
        time.sleep(600)
    if MODE == "http":
        serve_http()
    size = int(os.environ["PLUGIN_MAX_MESSAGE_BYTES"])
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", size),
        ("grpc.so_reuseport", 0),
    ]
    threads = 1 if MODE == "singles-busy" else 8
    server = grpc.server(futures.ThreadPoolExecutor(threads), options=options)
    SERVER.append(server)
    if MODE == "garbage":
        server.add_generic_rpc_handlers((Garbage(),))
    else:
        name = MODE.removesuffix("-on-port").removesuffix("-on-ipv6").removesuffix("-elsewhere")
        stubs.add_PluginServiceServicer_to_server(MODES[name](), server)
    if MODE.endswith("-elsewhere"):
        server.add_insecure_port("127.0.0.1:0")
    elif MODE.endswith("-on-ipv6"):
        server.add_insecure_port(f"[::1]:{os.environ['PLUGIN_PORT']}")
    elif MODE.endswith("-on-port"):
        server.add_insecure_port(f"127.0.0.1:{os.environ['PLUGIN_PORT']}")
    else:
        server.add_insecure_port(f"unix:{os.environ['PLUGIN_SOCKET']}")
    server.start()
    if MODE in ("stubborn", "closes-socket"):
        threading.Event().wait()
    server.wait_for_termination()


main()
