"""The life of a plugin's process: listen, serve, end when told to or when the host is gone."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import threading
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health  # type: ignore[attr-defined]

from cdpplugin.errors import PluginError
from cdpplugin.handles import handle
from cdpplugin.log import get_logger, take_over_logging
from cdpplugin.protocols import Plugin
from cdpplugin.server.guard import Guard
from cdpplugin.server.place import Place, place_of
from cdpplugin.server.service import PluginService
from cdpplugin.v1.plugin_pb2_grpc import add_PluginServiceServicer_to_server

GRACE_S = 30.0
"""Longest wait for calls in progress once the plugin is to stop, in seconds."""

_SERVICE = "plugin.v1.PluginService"


def run(
    plugin: Plugin, *, workers: int = 1, credentials: grpc.ServerCredentials | None = None
) -> None:
    """Serve *plugin*; see `cdpplugin.serve`. Ends the process with 1 where it cannot listen."""
    take_over_logging()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        ended = asyncio.run(_Process(plugin, workers, credentials).serve())
    except PluginError as error:
        get_logger().error(error.message, code=error.code, hint=error.hint)
        sys.exit(1)
    if not ended:
        get_logger().error("a call did not end in time", grace_s=GRACE_S)
        _leave(1)


def _leave(status: int) -> None:
    """End the process without waiting for threads, which a call may block for ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _Process:
    """One plugin, served once."""

    def __init__(
        self, plugin: Plugin, workers: int, credentials: grpc.ServerCredentials | None
    ) -> None:
        metadata = plugin.metadata()
        self._workers = 1 if metadata.stateful else workers
        self._credentials = credentials
        self._place = place_of(os.environ)
        self._log = get_logger(plugin=metadata.reference)
        self._handle = handle(plugin, workers=self._workers)
        self._stop = asyncio.Event()

    async def serve(self) -> bool:
        """Serve until the plugin is to stop; tell whether all calls ended in time."""
        service = PluginService(self._handle, self._place, self._workers)
        server = grpc.aio.server(
            interceptors=[Guard(self._place.token)], options=_options(self._place)
        )
        add_PluginServiceServicer_to_server(service, server)  # type: ignore[no-untyped-call]
        status = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(status, server)
        self._listen(server)
        self._watch()
        await server.start()
        for name in ("", _SERVICE):
            await status.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._log.debug("listening", address=self._place.address)
        await self._stop.wait()
        await status.enter_graceful_shutdown()
        return await self._end(server, service)

    def _listen(self, server: grpc.aio.Server) -> None:
        """Bind the address.

        Raises:
            PluginError: plugin.address_unavailable; it is taken, or cannot be bound.
        """
        address = self._place.address
        try:
            if self._credentials is None or self._place.is_socket:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise PluginError(
                f"cannot listen on `{address}`",
                code="plugin.address_unavailable",
                hint="end what listens there, or set PLUGIN_PORT to another port",
            ) from error

    def _watch(self) -> None:
        """Learn of signals, and of the host's end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told)
        if self._place.lifeline:
            watching = threading.Thread(target=self._hold_lifeline, args=(loop,), daemon=True)
            watching.start()

    def _told(self) -> None:
        """Take a signal: the first ends the plugin in order, a second one at once."""
        if self._stop.is_set():
            _leave(1)
        self._stop.set()

    def _hold_lifeline(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read standard input to its end, which is the host's."""
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._stop.set)

    async def _end(self, server: grpc.aio.Server, service: PluginService) -> bool:
        """Let calls in progress end, stop the plugin; tell whether that was in time."""
        service.readings.stop()
        try:
            async with asyncio.timeout(GRACE_S):
                await server.stop(2 * GRACE_S)
                if service.started:
                    await service.stop()
        except TimeoutError:
            return False
        return not self._handle.is_busy


def _options(place: Place) -> list[tuple[str, Any]]:
    """Return channel arguments; the names are gRPC core's."""
    return [
        ("grpc.max_send_message_length", place.max_message_bytes),
        ("grpc.max_receive_message_length", place.max_message_bytes),
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ]
