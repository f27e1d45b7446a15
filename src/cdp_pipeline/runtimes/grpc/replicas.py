"""A processor that runs several times over: batches go to the replicas in turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

from cdp_pipeline.runtimes.grpc.faults import PluginCrashed, PluginUnavailable
from cdp_pipeline.runtimes.grpc.processor import GrpcProcessor
from cdpplugin import Batch, Context, Fatal, HealthStatus, Outputs, PluginError, PluginMetadata


class ReplicatedProcessor:
    """Replicas of one processor.

    A batch that finds its replica gone goes to the next one; the one that is gone is out of
    turn until it is back. A batch that has lost one replica may be what ended it: the next
    one divides it. Only when none is left is the error the stage's.
    """

    def __init__(self, replicas: Sequence[GrpcProcessor]) -> None:
        self._replicas = list(replicas)
        self._in_turn = deque(replicas)
        self._returning: dict[GrpcProcessor, asyncio.Task[None]] = {}
        self._failure: PluginError = PluginUnavailable("no replica is left")

    def metadata(self) -> PluginMetadata:
        """Return what the first replica said of itself."""
        return self._replicas[0].metadata()

    async def configure(self, config: Mapping[str, object]) -> None:
        """Hand the configuration to every replica."""
        await self._each(lambda replica: replica.configure(config))

    async def start(self, context: Context, imported_state: bytes = b"") -> None:
        """Start every replica."""
        await self._each(lambda replica: replica.start(context, imported_state))

    async def stop(self) -> None:
        """Stop every replica; raises what the first that refused said."""
        for returning in self._returning.values():
            returning.cancel()
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
        if well == len(states):
            return states[0]
        words = next(state.message for state in states if state.status != "healthy")
        message = f"{well} of {len(states)} replicas are healthy: {words}"
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
            self._returning[replica] = asyncio.create_task(self._bring_back(replica))

    async def _bring_back(self, replica: GrpcProcessor) -> None:
        while True:
            try:
                await replica.revive()
            except Fatal:
                return
            except PluginError as error:  # the replica's own backoff keeps this slow
                self._failure = error
                continue
            del self._returning[replica]
            self._in_turn.append(replica)
            return

    async def _each(self, work: Callable[[GrpcProcessor], Awaitable[None]]) -> None:
        for replica in self._replicas:
            await work(replica)
