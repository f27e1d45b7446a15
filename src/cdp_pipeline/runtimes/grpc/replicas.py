"""A plugin that runs several times over: batches go to the replicas in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.grpc.faults import PluginCrashed, PluginUnavailable, StartTimeout
from cdp_pipeline.runtimes.grpc.processor import GrpcProcessor
from cdp_pipeline.runtimes.grpc.restarts import Deaths, RestartPolicy
from cdpplugin import Batch, Context, Fatal, HealthStatus, Outputs, PluginError, PluginMetadata

Launch = Callable[[], Awaitable[Any]]
"""Gives a handle, not configured yet."""


class ReplicatedProcessor:
    """Replicas of one processor.

    A batch that finds its replica gone goes to the next one; the one that is gone is out of
    turn until it is back. A batch that has lost one replica may be what ended it: the next
    one divides it. Only when none is left is the error the stage's.

    Args:
        replicas: Those that can be reached.
        missing: Launches those that cannot, yet.
        policy: How long to wait before these are tried again.

    Attributes:
        confinement: What bounds each replica.
    """

    def __init__(
        self,
        replicas: Sequence[GrpcProcessor],
        missing: Sequence[Launch] = (),
        policy: RestartPolicy | None = None,
    ) -> None:
        self.confinement = replicas[0].confinement
        self._replicas = list(replicas)
        self._missing = list(missing)
        self._policy = policy or RestartPolicy()
        self._in_turn = deque(replicas)
        self._returning: set[asyncio.Task[None]] = set()
        self._failure: PluginError = PluginUnavailable("no replica is left")
        self._config: Mapping[str, object] | None = None
        self._log = logger(plugin=self.metadata().reference)

    def metadata(self) -> PluginMetadata:
        """Return what the first replica said of itself."""
        return self._replicas[0].metadata()

    async def configure(self, config: Mapping[str, object]) -> None:
        """Hand the configuration to every replica."""
        self._config = config
        for replica in self._replicas:
            await replica.configure(config)

    async def start(self, context: Context, imported_state: bytes = b"") -> None:
        """Start every replica; those that are missing join when they can be reached."""
        for replica in self._replicas:
            await replica.start(context, imported_state)
        for launch in self._missing:
            self._in_background(self._fetch(launch, context))

    async def stop(self) -> None:
        """Stop every replica; raises what the first that refused said."""
        returning = list(self._returning)
        for task in returning:
            task.cancel()
        await asyncio.gather(*returning, return_exceptions=True)
        results = await asyncio.gather(
            *(replica.stop() for replica in self._replicas), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def health(self) -> HealthStatus:
        """Healthy where all are; degraded where some are."""
        states = [await replica.health() for replica in self._replicas]
        well = sum(state.status == "healthy" for state in states)
        count = max(len(states), len(self._in_turn) + len(self._returning))
        if well == count:
            return states[0]
        told = [state.message for state in states if state.status != "healthy"]
        words = told[0] if told else "the others cannot be reached"
        message = f"{well} of {count} replicas are healthy: {words}"
        return HealthStatus("degraded" if well else "unhealthy", message)

    async def process_batch(self, batch: Batch) -> Outputs:
        """Answer *batch*; see `cdpplugin.Processor`."""
        was_lost = False
        while self._in_turn:
            replica = self._in_turn[0]
            self._in_turn.rotate(-1)
            if not replica.is_alive:
                self._rest(replica)
                continue
            ask = replica.process_batch if was_lost else replica.process_batch_once
            try:
                return await ask(batch)
            except (PluginCrashed, PluginUnavailable) as error:
                self._failure, was_lost = error, True
                self._rest(replica)
        raise self._failure

    def _rest(self, replica: GrpcProcessor) -> None:
        """Take *replica* out of turn until it can be reached again."""
        if replica in self._in_turn:
            self._in_turn.remove(replica)
            self._in_background(self._bring_back(replica))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _bring_back(self, replica: GrpcProcessor) -> None:
        while True:
            try:
                await replica.revive()
            except Fatal as error:
                self._give_up(error)
                return
            except PluginError as error:  # the replica's own backoff keeps this slow
                self._failure = error
                continue
            self._in_turn.append(replica)
            return

    async def _fetch(self, launch: Launch, context: Context) -> None:
        """Let a replica join that could not be reached at the start."""
        failures = Deaths(self._policy)
        while True:
            failures.note()
            await asyncio.sleep(failures.delay_s)
            try:
                replica = await launch()
            except PluginError:
                continue
            self._replicas.append(replica)
            try:
                if self._config is not None:
                    await replica.configure(self._config)
                await replica.start(context)
            except PluginError as error:
                self._give_up(error)
                return
            self._in_turn.append(replica)
            self._log.info("a replica has joined", in_turn=len(self._in_turn))
            return

    def _give_up(self, error: PluginError) -> None:
        """Go on without a replica; where it was the last, its error is the stage's."""
        self._log.warning("a replica is left out from now on", code=error.code, error=str(error))
        if not self._in_turn and len(self._returning) <= 1:
            self._failure = error


async def meet(launches: Sequence[Launch], policy: RestartPolicy, log: Any) -> Any:
    """Return a handle of all replicas; of anything but a stateless processor one is used.

    Raises:
        PluginError: None can be reached, or one of them can never be used.
    """
    met = [asyncio.ensure_future(launch()) for launch in launches]
    try:
        await asyncio.wait(met)
        handles = _reached(met)
    except BaseException:
        for task in met:
            task.cancel()
        await asyncio.wait(met)
        await _stop([task.result() for task in met if not _failure(task)])
        raise
    metadata = handles[0].metadata()
    if metadata.type != "processor" or metadata.stateful:
        await _stop(handles[1:])
        return handles[0]
    if len(launches) == 1:
        return handles[0]
    missing = [launch for launch, task in zip(launches, met, strict=True) if _failure(task)]
    for error in filter(None, map(_failure, met)):
        log.warning("going on without a replica, for now", error=str(error))
    return ReplicatedProcessor(handles, missing, policy)


def _reached(met: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Return the replicas that were reached; others may join later, where that can be.

    Raises:
        PluginError: There is none, or one refused in a way that does not pass.
    """
    failures = [failure for task in met if (failure := _failure(task))]
    lasting = [f for f in failures if not isinstance(f, StartTimeout | PluginUnavailable)]
    if lasting or len(failures) == len(met):
        raise (lasting or failures)[0]
    return [task.result() for task in met if not _failure(task)]


def _failure(task: asyncio.Future[Any]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


async def _stop(handles: Sequence[Any]) -> None:
    await asyncio.gather(*(handle.stop() for handle in handles), return_exceptions=True)
