"""What a plugin becomes once it is launched, whatever executes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cdp_pipeline.config.limits import Limits
from cdp_pipeline.runtimes import native
from cdpplugin import Consumer, Plugin, Processor, Source

Handle = Source | Processor | Consumer
"""A plugin behind the asynchronous contract, whatever executes it."""

Launch = Callable[[int], Awaitable[Handle]]
"""Makes a new handle that takes so many calls at once."""


def natively(create: Callable[[], Plugin], limits: Limits | None = None) -> Launch:
    """Return how a plugin object made by *create* is executed in this process."""

    async def launch(workers: int) -> Handle:
        return native.handle(create(), workers=workers, limits=limits)

    return launch


def runtime_of(handle: Handle) -> str:
    """Return what executes *handle*: `native`, `grpc`, `container` or `wasm`."""
    if isinstance(handle, native.NativePlugin):
        return "native"
    default = "container" if getattr(handle, "is_container", False) else "grpc"
    return str(getattr(handle, "runtime", default))
