"""Run the plugins of `bench/plugins` as processes: in a pipeline, and with nothing around them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.bouncing import Bouncer, Catcher
from bench.case import Skip
from bench.rig import Counter, Given, Invalid, Replay, payments, run_document
from cdpplugin import Delivery, Plugin
from cdpplugin.wire import encode_requests

PLUGINS = Path(__file__).with_name("plugins")
BUILD_TIMEOUT_S = 300
READY_TIMEOUT_S = 30
STOP_TIMEOUT_S = 5
_MARK = b'"processed":true'


class Changed(Counter):
    """A counting sink that takes only messages which the plugin has changed."""

    async def consume(self, delivery: Delivery) -> int:
        rows = delivery.batch.payloads.json()
        if len(rows) and (_MARK not in rows[0] or _MARK not in rows[-1]):
            raise Invalid("a message arrived that the plugin has not changed")
        return await super().consume(delivery)


def rate_through(plugin: Path, messages: int, *, workers: int) -> float:
    """Return messages a second through the plugin in folder *plugin*, counted at the sink.

    Args:
        plugin: Folder of a plugin with a manifest.
        messages: How many the source gives.
        workers: Batches that may be with the plugin at the same time.

    Raises:
        Invalid: Not every message arrived, changed.
    """
    source, sink = Replay(messages), Changed()
    _run(plugin, source, sink, {"workers": workers}, {})
    if sink.rows != messages:
        raise Invalid(f"expected {messages} messages at the sink, got {sink.rows}")
    return messages / (sink.ended_s - source.begun_s)


def latencies_through(plugin: Path, messages: int) -> list[float]:
    """Return how long single messages take from source to sink through *plugin*, in us."""
    bouncer = Bouncer(messages)
    _run(plugin, bouncer, Catcher(bouncer), {}, {"linger": 0})
    return bouncer.latencies_us


def _run(
    plugin: Path,
    source: Plugin,
    sink: Plugin,
    stage: Mapping[str, object],
    batch: Mapping[str, object],
) -> None:
    document = {
        "source": {"type": "source"},
        "pipeline": [{"plugin": "plugin", **stage}, {"type": "sink"}],
        "plugins": [{"name": "plugin", "type": "grpc", "path": str(plugin)}],
        "batch": dict(batch),
    }
    with TemporaryDirectory(prefix="cdp-bench-") as folder:
        run_document(document, Path(folder), Given({"source": source, "sink": sink}))


def bare_latencies(plugin: Path, messages: int) -> list[float]:
    """Return how long bare unary calls of the Python server in *plugin* take, in us, one by one."""
    return asyncio.run(_bare_latencies(plugin, messages))


async def _bare_latencies(plugin: Path, messages: int) -> list[float]:
    import grpc

    from cdpplugin.v1 import plugin_pb2 as pb
    from cdpplugin.v1.plugin_pb2_grpc import PluginServiceStub

    request = next(encode_requests(payments(1)))
    async with _served(plugin) as socket, grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        stub = PluginServiceStub(channel)  # type: ignore[no-untyped-call]
        await stub.GetMetadata(pb.MetadataRequest(), wait_for_ready=True, timeout=READY_TIMEOUT_S)
        found = []
        for _ in range(messages):
            begun_s = perf_counter()
            answer = await stub.Process(request)
            found.append((perf_counter() - begun_s) * 1e6)
            if _MARK not in answer.payload:
                raise Invalid("the bare server has not changed a message")
    return found


@asynccontextmanager
async def _served(plugin: Path) -> AsyncIterator[str]:
    with TemporaryDirectory(prefix="cdp-bench-") as folder:
        socket = str(Path(folder) / "plugin.sock")
        with process(sys.executable, str(plugin / "server.py"), PLUGIN_SOCKET=socket):
            yield socket


@contextmanager
def process(*command: str, **environ: str) -> Iterator[None]:
    """Run a silent process for as long as the block takes; it finds only *environ*."""
    started = subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def built_go_plugin(name: str, folder: Path, *flags: str) -> Path:
    """Build the Go plugin *name* into *folder*; return the folder in which it can be run.

    Args:
        name: A folder in `bench/plugins`.
        folder: Where a folder of the same name is made.
        flags: More flags of `go build`.

    Raises:
        Skip: There is no Go here, or it cannot build the plugin.
    """
    go = shutil.which("go")
    if go is None:
        raise Skip("`go` is not on PATH")
    place, sources = folder / name, PLUGINS / name
    place.mkdir(exist_ok=True)
    shutil.copy(sources / "plugin.yaml", place)
    executable = str(place / name.replace("_", "-"))
    command = [go, "build", "-trimpath", "-buildvcs=false", *flags, "-o", executable, "."]
    try:
        subprocess.run(
            command,
            cwd=sources,
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise Skip(f"the Go plugin was not built within {BUILD_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"the Go plugin cannot be built: {last_line(error.stderr)}") from error
    return place


def last_line(text: str) -> str:
    """Return the last line of what a command printed, which says why it failed."""
    return (text.strip().splitlines() or ["it printed nothing"])[-1]
