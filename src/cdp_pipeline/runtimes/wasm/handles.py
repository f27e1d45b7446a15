"""A WebAssembly plugin behind the contract.

Calls run on threads of the plugin's own, one guest to a thread, without the GIL. A batch in which a
guest is ended is halved until the row that ends it is alone: it comes back as that row's
error, and its neighbours are answered by new instances.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from cdp_pipeline.runtimes.confining.mechanisms import Mechanisms
from cdp_pipeline.runtimes.deadlines import Deadlines
from cdp_pipeline.runtimes.encodable import divided, joined
from cdp_pipeline.runtimes.wasm.answer import Status, error_of
from cdp_pipeline.runtimes.wasm.cpu import DutyCycle
from cdp_pipeline.runtimes.wasm.faults import GuestFault, GuestsHung, GuestTimeout
from cdp_pipeline.runtimes.wasm.guest import Guest
from cdp_pipeline.runtimes.wasm.metadata import Said, decode_health
from cdp_pipeline.runtimes.wasm.pool import Pool
from cdp_pipeline.runtimes.wasm.processing import process
from cdp_pipeline.runtimes.wasm.program import START_S
from cdp_pipeline.runtimes.wasm.threads import GuestThreads, Stopped, Stuck
from cdpplugin import (
    Batch,
    Context,
    Delivery,
    HealthStatus,
    Outputs,
    PluginError,
    PluginMetadata,
)
from cdpplugin.backing import BACKINGS, Backings

T = TypeVar("T")

HEALTH_S = 5.0
HUNG_S = 2.0
"""How long after its deadline a guest is given up that is stuck in a host function."""
MOST_HUNG = 4
"""So many threads that never came back end the plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTerms:
    """How guests are called.

    Attributes:
        workers: How many calls run at once.
        deadlines: How long answers may take.
        cpu: Their share of processor time.
        is_fueled: Whether they have so much fuel for each message.
        backings: What makes payload columns of the bytes they answer.
    """

    workers: int = 1
    deadlines: Deadlines = field(default_factory=Deadlines)
    is_fueled: bool = False
    cpu: DutyCycle = field(default_factory=lambda: DutyCycle(None))
    backings: Backings = field(default_factory=lambda: BACKINGS)


class WasmPlugin:
    """What every kind of plugin has.

    Attributes:
        said: What its first instance said of itself.
        exports: The functions that it has, by the names of the ABI.
        confinement: The name of each limit, and of what it may reach, with what bounds it.
    """

    runtime = "wasm"
    confinement: Mechanisms = MappingProxyType({})

    def __init__(
        self,
        pool: Pool,
        metadata: PluginMetadata,
        exports: frozenset[str],
        terms: GuestTerms,
        said: Said,
    ) -> None:
        self.said = said
        self._pool = pool
        self._metadata = metadata
        self.exports = exports
        self._terms = terms
        self._threads = GuestThreads(terms.workers, f"wasm-{metadata.name}")

    def metadata(self) -> PluginMetadata:
        """Return what the plugin said of itself when it was loaded, completed by its manifest."""
        return self._metadata

    @property
    def replaced(self) -> int:
        """How many instances have been ended and replaced."""
        return self._pool.replaced

    @property
    def is_busy(self) -> bool:
        """Whether a guest of it is at work."""
        return self._threads.is_busy

    @property
    def cpu_s(self) -> float:
        """Processor time that its guests have used, in seconds."""
        return self._terms.cpu.used_s

    @property
    def keeps_state(self) -> bool:
        """Whether the plugin hands its state over to the instance that replaces it."""
        return {"export_state", "import_state"} <= self.exports

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Hand over the configuration."""
        await self._run(START_S, self._pool.configure, config)

    async def start(self, context: Context) -> None:
        """Start the plugin."""
        await self._run(START_S, self._pool.start, context)

    async def stop(self) -> None:
        """Stop the plugin, then its threads."""
        try:
            error = await self._run(START_S, self._pool.stop)
        finally:
            self._threads.stop()
        if error is not None and not isinstance(error, GuestFault):
            raise error

    async def health(self) -> HealthStatus:
        """Ask the plugin how it is."""
        facts = {"instances_replaced": self.replaced} if self.replaced else {}
        if "health" not in self.exports:
            return HealthStatus(details=facts)
        try:
            status = await self._run(HEALTH_S, self._health)
        except PluginError as error:
            return HealthStatus("unhealthy", error.message, facts)
        return replace(status, details={**status.details, **facts})

    def _health(self) -> HealthStatus:
        with self._pool.borrowed() as guest:
            answer = guest.call("health", None, HEALTH_S)
            if answer.status != Status.OK:
                raise error_of(answer, "`health`")
            return decode_health(answer.data)

    async def export_state(self) -> bytes:
        """Ask the plugin for its state; called after its last batch, before `stop`."""
        return await self._run(START_S, self._export_state)

    def _export_state(self) -> bytes:
        with self._pool.borrowed() as guest:
            answer = guest.call("export_state", None, START_S)
            if answer.status != Status.OK:
                raise error_of(answer, "`export_state`")
            return answer.data

    async def import_state(self, state: bytes) -> None:
        """Hand over the state of the instance that this one replaces; called after `start`."""
        await self._run(START_S, self._pool.import_state, state)

    async def _run(self, timeout_s: float, function: Callable[..., T], *arguments: Any) -> T:
        """Return what *function* gives, called on a thread.

        The guest's own clock ends it in time. One that is stuck in a host function, which no
        clock ends, is given up with its thread.

        Raises:
            GuestTimeout: It is stuck.
            GuestsHung: That has happened too often.
        """
        who = self._metadata.reference
        if self._threads.stuck > MOST_HUNG:
            raise GuestsHung(f"plugin `{who}` hung too often")
        try:
            return await self._threads.run(2 * timeout_s + HUNG_S, function, *arguments)
        except Stopped:
            raise PluginError(f"plugin `{who}` is stopped", code="plugin.unavailable") from None
        except Stuck:
            raise GuestTimeout(f"plugin `{who}` did not come back within {timeout_s:g} s") from None

    async def _processed(self, batch: Batch) -> Outputs:
        """Return the answer to *batch*, once there is processor time for it.

        Raises:
            GuestFault: A guest was ended by it.
            PluginError: The plugin says something of it as a whole.
        """
        if wait_s := self._terms.cpu.wait_s():
            await asyncio.sleep(wait_s)
        timeout_s = self._terms.deadlines.batch_s(len(batch))
        if "process_batch" not in self.exports or self._terms.is_fueled:
            timeout_s = self._terms.deadlines.message_s * len(batch)
        return await self._run(timeout_s, self._process, batch)

    def _process(self, batch: Batch) -> Outputs:
        begun_s = time.thread_time()
        try:
            with self._pool.borrowed() as guest:
                return self._answered(guest, batch)
        finally:
            self._terms.cpu.charge(time.thread_time() - begun_s)

    def _answered(self, guest: Guest, batch: Batch) -> Outputs:
        terms, encoding = self._terms, self._metadata.input_encoding
        # Fuel is each message's own: what one has left may not depend on how batches are cut.
        step = 1 if terms.is_fueled else len(batch)
        return joined(
            [
                (rows, process(guest, part, encoding, terms.deadlines, terms.backings))
                for rows, part in divided(batch, step)
            ]
        )


class WasmProcessor(WasmPlugin):
    """A processor."""

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`.

        Raises:
            Retry: The plugin asks for a repetition.
            Fatal: It cannot go on.
        """
        if not len(batch):
            return Outputs()
        try:
            return await self._processed(batch)
        except GuestFault as fault:
            return await self._isolated(batch, fault)

    async def attempt(self, batch: Batch) -> Outputs:
        """Answer *batch* as `process_batch` does, but look for no message at fault.

        Raises:
            GuestFault: A guest was ended by it.
        """
        return await self._processed(batch) if len(batch) else Outputs()

    async def _isolated(self, batch: Batch, fault: GuestFault) -> Outputs:
        """Return the answer to a batch in which a guest was ended, part by part.

        Halves find a row that traps soonest. One that takes too long would cost each half that
        holds it the time of a whole batch, so there each row goes by itself.
        """
        rows = len(batch)
        if rows == 1 or self._metadata.stateful:
            return Outputs(errors=dict.fromkeys(range(rows), fault))
        step = 1 if isinstance(fault, GuestTimeout) else (rows + 1) // 2
        return joined(
            [(part, await self.process_batch(held)) for part, held in divided(batch, step)]
        )


class WasmConsumer(WasmPlugin):
    """A consumer: it has made durable what it has answered."""

    async def durable_position(self) -> int | None:
        """Return None: it keeps no position."""
        return None

    async def consume(self, delivery: Delivery) -> int | None:
        """Hand over *delivery*; see `cdpplugin.Consumer`.

        Raises:
            PluginError: What the plugin says of the first bad row, or of all.
        """
        if len(delivery.batch):
            outputs = await self._processed(delivery.batch)
            if outputs.errors:
                raise outputs.errors[min(outputs.errors)]
        return delivery.completed_through

    async def flush(self) -> int | None:
        """Return None: nothing is held back."""
        return None

    async def forget(self, context: Context) -> Sequence[str]:
        """Return nothing: there is no position to forget."""
        return []


HANDLES: Mapping[str, type[WasmProcessor] | type[WasmConsumer]] = {
    "processor": WasmProcessor,
    "consumer": WasmConsumer,
}
