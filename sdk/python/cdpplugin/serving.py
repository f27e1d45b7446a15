"""Run a plugin: as a process of its own, or, in a file the host loads, within the host.

A plugin's file ends with one of the `serve` functions. Run by a host that launches
processes, or by hand, it serves `plugin.v1.PluginService` until it is told to stop.
Loaded natively by a host, the same call only hands the plugin over: one file is both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cdpplugin.delivery import Context
from cdpplugin.function import FunctionConsumer, FunctionProcessor, FunctionSource
from cdpplugin.metadata import HealthStatus, PluginMetadata
from cdpplugin.protocols import Plugin

if TYPE_CHECKING:
    import grpc

Configure = Callable[[Mapping[str, Any]], Any]
Start = Callable[[Context], Any]
Stop = Callable[[], Any]
Health = Callable[[], HealthStatus] | Callable[[], Awaitable[HealthStatus]]

_registered: ContextVar[list[Plugin] | None] = ContextVar("registered", default=None)


@contextmanager
def registering() -> Iterator[list[Plugin]]:
    """Collect the plugins that a file serves while it is loaded, instead of serving them."""
    found: list[Plugin] = []
    token = _registered.set(found)
    try:
        yield found
    finally:
        _registered.reset(token)


def serve(
    plugin: Plugin, *, workers: int = 1, credentials: grpc.ServerCredentials | None = None
) -> None:
    """Serve *plugin* until its host goes away, or SIGTERM or SIGINT comes.

    Where to listen, and with which limits, is in the environment; see `spec/handshake.md`.

    Args:
        plugin: What to serve.
        workers: How many batches it may work on at once. A plain function then runs on that
            many threads and must be thread-safe. A stateful plugin always has one.
        credentials: TLS for a plugin that listens on TCP for hosts elsewhere
            (`grpc.ssl_server_credentials`); None is plain text.

    Raises:
        PluginError: plugin.sdk_incomplete; gRPC is not installed.
        ValueError: *workers* is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    loading = _registered.get()
    if loading is not None:
        loading.append(plugin)
        return
    _server()(plugin, workers=workers, credentials=credentials)


def _server() -> Callable[..., None]:
    try:
        from cdpplugin.server import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("grpc", "grpc_health", "google"):
            raise
        from cdpplugin.errors import PluginError

        raise PluginError(
            f"a plugin that runs in a process of its own needs `{error.name}`",
            code="plugin.sdk_incomplete",
            hint="pip install 'cdpplugin[grpc]'",
        ) from error
    return run


def serve_processor(
    metadata: PluginMetadata,
    function: Callable[..., Any],
    *,
    batch: bool = False,
    configure: Configure | None = None,
    start: Start | None = None,
    stop: Stop | None = None,
    health: Health | None = None,
    workers: int = 1,
    credentials: grpc.ServerCredentials | None = None,
) -> None:
    """Serve a processor made of *function*, plain or async.

    Args:
        metadata: Who the plugin is.
        function: Takes a `Message` and returns one, several or None (drop); with *batch* it
            takes a `Batch` and returns a `Batch` (row for row) or `Outputs`.
        batch: Whether *function* takes batches.
        configure: Called once with the configuration, before the first message.
        start: Called once with the `Context`, to open what is needed.
        stop: Called once, to close it; also after a failed start.
        health: Says how it is, at any time; without it: healthy.
        workers: As in `serve`.
        credentials: As in `serve`.
    """
    plugin = FunctionProcessor(replace(metadata, type="processor"), function, batch=batch)
    hooks = {"configure": configure, "start": start, "stop": stop, "health": health}
    serve(_hooked(plugin, hooks), workers=workers, credentials=credentials)


def serve_source(
    metadata: PluginMetadata,
    function: Callable[[], Any],
    *,
    configure: Configure | None = None,
    start: Start | None = None,
    stop: Stop | None = None,
    health: Health | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> None:
    """Serve a source made of *function*, a generator (plain or async) of messages.

    Its positions count the messages from 1; after a restart it must give the same ones.
    The other arguments are as in `serve_processor`.
    """
    plugin = FunctionSource(replace(metadata, type="source"), function)
    hooks = {"configure": configure, "start": start, "stop": stop, "health": health}
    serve(_hooked(plugin, hooks), credentials=credentials)


def serve_consumer(
    metadata: PluginMetadata,
    function: Callable[..., Any],
    *,
    configure: Configure | None = None,
    start: Start | None = None,
    stop: Stop | None = None,
    health: Health | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> None:
    """Serve a consumer made of *function*, plain or async, which takes a `Message`.

    A message is durable when the function returns. The other arguments are as in
    `serve_processor`.
    """
    plugin = FunctionConsumer(replace(metadata, type="consumer"), function)
    hooks = {"configure": configure, "start": start, "stop": stop, "health": health}
    serve(_hooked(plugin, hooks), credentials=credentials)


def _hooked(plugin: Any, hooks: Mapping[str, Callable[..., Any] | None]) -> Plugin:
    """Return *plugin*, the hooks that were given in the place of its own methods."""
    for name, hook in hooks.items():
        if hook is not None:
            setattr(plugin, name, hook)
    served: Plugin = plugin
    return served
