"""Plugins in processes of their own, and channels to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.v1.plugin_pb2_grpc import PluginServiceStub

PLUGINS = Path(__file__).parent / "plugins"
TOKEN = "ab" * 32
LIMIT_BYTES = 200_000
END_S = 30.0


@dataclass
class Launched:
    """A plugin that runs in a process of its own."""

    process: subprocess.Popen[bytes]
    address: str
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._came = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, b""):
            with self._came:
                self.lines.append(line.decode())
                self._came.notify_all()

    def wait_for(self, line: str) -> None:
        """Wait until the plugin has written *line*."""
        with self._came:
            assert self._came.wait_for(lambda: line in self.lines, END_S), self.lines

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        status = self.process.wait(END_S)
        self._reading.join(END_S)
        return status

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[PluginServiceStub]:
        """Give a client of the plugin, once it is ready."""
        async with self.channel() as channel:
            stub = PluginServiceStub(channel)
            metadata = (("cdp-token", TOKEN),)
            await stub.GetMetadata(
                pb.MetadataRequest(), wait_for_ready=True, timeout=END_S, metadata=metadata
            )
            yield stub

    def channel(self) -> grpc.aio.Channel:
        """Return a channel to the plugin."""
        options = [("grpc.max_receive_message_length", LIMIT_BYTES)]
        return grpc.aio.insecure_channel(self.address, options=options)

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._reading.join(END_S)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


Launch = Callable[..., Launched]


def _launch(file: str, address: str, **environment: str) -> Launched:
    """Run a plugin file with nothing of this process's environment but the path."""
    base = {"PATH": os.environ["PATH"], "PLUGIN_MODE": "grpc"}
    process = subprocess.Popen(
        [sys.executable, str(PLUGINS / file)],
        env=base | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return Launched(process, address)


@pytest.fixture(scope="module")
def launch() -> Iterator[Launch]:
    """Run a plugin file behind a Unix socket; it ends with the tests of this module."""
    with ExitStack() as stack:

        def start(file: str, **environment: str) -> Launched:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cdp-"))
            path = f"{folder}/plugin.sock"
            limits = {"PLUGIN_SOCKET": path, "PLUGIN_MAX_MESSAGE_BYTES": str(LIMIT_BYTES)}
            launched = _launch(file, f"unix:{path}", **limits, **environment)
            stack.callback(launched.close)
            return launched

        yield start


@pytest.fixture
def launch_on_port() -> Iterator[Launch]:
    """Run a plugin file on a free port of the loopback."""
    with ExitStack() as stack:

        def start(file: str, port: int = 0, **environment: str) -> Launched:
            port = port or free_port()
            launched = _launch(file, f"127.0.0.1:{port}", PLUGIN_PORT=str(port), **environment)
            stack.callback(launched.close)
            return launched

        yield start


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
