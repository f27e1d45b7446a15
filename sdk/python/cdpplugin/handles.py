"""Call a Python plugin the asynchronous way, however it is written.

A plugin may write any method of the contract as a plain function or as a coroutine.
Plain ones run on threads of the plugin's own, so that nothing blocks the event loop.
The host runs native plugins behind these handles, and a plugin's own server runs it
behind the same ones, so that a plugin behaves alike in both.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from types import MappingProxyType
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.delivery import Context, Delivery, Resume, SourceBatch, SourceDescription
from cdpplugin.errors import Drop, Fatal, PluginError, Retry
from cdpplugin.function import as_outputs, as_plugin_error
from cdpplugin.metadata import HealthStatus, PluginMetadata
from cdpplugin.outputs import OutputPart, Outputs
from cdpplugin.protocols import KeepsState, Plugin

THREADS = "cdp-plugin-"
"""How the names of threads begin in which plugins are called."""
_CLOSE_WAIT_S = 5.0
_END: Any = object()


class PluginHandle:
    """What every handle has: the plugin, its metadata, its threads.

    Attributes:
        confinement: What bounds the plugin, by the name of each limit; its host says so.
    """

    confinement: Mapping[str, str] = MappingProxyType({})

    def __init__(self, plugin: Plugin, *, workers: int = 1) -> None:
        self._plugin: Any = plugin
        self._metadata = plugin.metadata()
        prefix = f"{THREADS}{self._metadata.name}"
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=prefix)
        self._calls: set[Future[Any]] = set()

    def metadata(self) -> PluginMetadata:
        """Return what the plugin said of itself when it was loaded."""
        return self._metadata

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Hand over the configuration."""
        await self._call(self._plugin.configure, config)

    async def start(self, context: Context) -> None:
        """Start the plugin."""
        await self._call(self._plugin.start, context)

    async def stop(self) -> None:
        """Stop the plugin, then its threads."""
        try:
            await self._call(self._plugin.stop)
        finally:
            self._threads.shutdown(wait=False)

    async def health(self) -> HealthStatus:
        """Ask the plugin how it is."""
        status: HealthStatus = await self._call(self._plugin.health)
        return status

    @property
    def is_busy(self) -> bool:
        """Whether a plain method of the plugin still runs, also one nobody waits for any more."""
        return bool(self._calls)

    @property
    def keeps_state(self) -> bool:
        """Whether the plugin hands its state over to the instance that replaces it."""
        return isinstance(self._plugin, KeepsState)

    async def export_state(self) -> bytes:
        """Ask the plugin for its state; called after its last batch, before `stop`."""
        state: bytes = await self._call(self._plugin.export_state)
        return state

    async def import_state(self, state: bytes) -> None:
        """Hand over the state of the instance that this one replaces; called after `start`."""
        await self._call(self._plugin.import_state, state)

    async def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            if inspect.iscoroutinefunction(method):
                return await method(*arguments)
            call = self._threads.submit(copy_context().run, _called, method, *arguments)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            answer = await asyncio.wrap_future(call)
            return await answer if inspect.isawaitable(answer) else answer
        except SystemExit as error:
            raise exit_refused(error) from error


def _called(method: Callable[..., Any], *arguments: Any) -> Any:
    """Call *method*; a `StopIteration`, which no future can carry, becomes an error."""
    try:
        return method(*arguments)
    except StopIteration as error:
        raise RuntimeError("a StopIteration left the plugin") from error


class ProcessorHandle(PluginHandle):
    """A processor handle. A batch that fails as a whole is halved until the bad row is alone."""

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`."""
        try:
            return await self._answer(batch)
        except (Retry, Fatal):
            raise
        except Exception as error:
            return await self._bisect(batch, as_plugin_error(error))

    async def _answer(self, batch: Batch) -> Outputs:
        return as_outputs(await self._call(self._plugin.process_batch, batch), batch)

    async def _bisect(self, batch: Batch, error: PluginError) -> Outputs:
        rows = len(batch)
        if isinstance(error, Drop):
            return Outputs(dropped={error.reason: rows})
        if rows <= 1 or self._metadata.stateful:
            return Outputs(errors=dict.fromkeys(range(rows), error))
        middle = rows // 2
        first = await self.process_batch(batch.slice(0, middle))
        second = await self.process_batch(batch.slice(middle, rows))
        return _joined(first, second, middle)


def _joined(first: Outputs, second: Outputs, offset: int) -> Outputs:
    """Return the answers to the two halves of a batch as the answer to the whole."""
    moved = [OutputPart(p.batch, [row + offset for row in p.rows]) for p in second.parts]
    errors = {row + offset: error for row, error in second.errors.items()}
    dropped = dict(first.dropped)
    for reason, rows in second.dropped.items():
        dropped[reason] = dropped.get(reason, 0) + rows
    return Outputs([*first.parts, *moved], {**first.errors, **errors}, dropped)


class SourceHandle(PluginHandle):
    """A source handle; a plain generator is pulled on a thread."""

    async def describe(self) -> SourceDescription:
        """Ask the plugin what its stream is."""
        description: SourceDescription = await self._call(self._plugin.describe)
        return description

    async def acknowledge(self, completed_through: int) -> None:
        """Tell the plugin what is durable."""
        if hasattr(self._plugin, "acknowledge"):
            await self._call(self._plugin.acknowledge, completed_through)

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the plugin's stream; see `cdpplugin.Source`."""
        stream = self._plugin.read(after)
        if hasattr(stream, "__aiter__"):
            try:
                async for found in stream:
                    yield _source_batch(found)
            except SystemExit as error:
                raise exit_refused(error) from error
            finally:
                if hasattr(stream, "aclose"):
                    await stream.aclose()
            return
        iterator: Iterator[SourceBatch] = iter(stream)
        try:
            while (found := await self._call(next, iterator, _END)) is not _END:
                yield _source_batch(found)
        finally:
            await self._close(iterator)

    async def _close(self, iterator: Iterator[SourceBatch]) -> None:
        """Close a generator on its thread, behind a `next` that may still run there."""
        if not hasattr(iterator, "close"):
            return
        with suppress(RuntimeError):  # the threads are shut down: nothing runs any more
            closing = self._threads.submit(iterator.close)
            await asyncio.wait([asyncio.wrap_future(closing)], timeout=_CLOSE_WAIT_S)


def _source_batch(found: Any) -> SourceBatch:
    if isinstance(found, SourceBatch):
        return found
    raise PluginError(
        f"expected the source to yield a SourceBatch, got `{type(found).__name__}`",
        code="plugin.output_invalid",
        hint="yield cdpplugin.SourceBatch(batch, positions)",
    )


class ConsumerHandle(PluginHandle):
    """A consumer handle. A consumer without `flush` or a position of its own may leave them out."""

    async def durable_position(self) -> int | None:
        """Ask the plugin how far it is durable."""
        return await self._optional("durable_position")

    async def consume(self, delivery: Delivery) -> int | None:
        """Hand over *delivery*."""
        position: int | None = await self._call(self._plugin.consume, delivery)
        return position

    async def flush(self) -> int | None:
        """Ask the plugin to make everything durable."""
        return await self._optional("flush")

    async def forget(self, context: Context) -> Sequence[str]:
        """Ask the plugin to forget its position."""
        if not hasattr(self._plugin, "forget"):
            return []
        done: Sequence[str] = await self._call(self._plugin.forget, context)
        return done

    async def _optional(self, name: str) -> int | None:
        method = getattr(self._plugin, name, None)
        if method is None:
            return None
        position: int | None = await self._call(method)
        return position


HANDLES = {"source": SourceHandle, "processor": ProcessorHandle, "consumer": ConsumerHandle}


def handle(plugin: Plugin, *, workers: int = 1) -> SourceHandle | ProcessorHandle | ConsumerHandle:
    """Return *plugin* behind the asynchronous contract; *workers* calls may run at once."""
    return HANDLES[plugin.metadata().type](plugin, workers=workers)  # type: ignore[return-value]


def exit_refused(error: SystemExit) -> PluginError:
    """A plugin in our own process does not end it: that would skip everybody's shutdown."""
    return PluginError(
        f"the plugin called `sys.exit({error.code})`",
        code="plugin.exit_called",
        hint="raise cdpplugin.Fatal to stop the pipeline",
    )
