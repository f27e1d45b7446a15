"""Run a pipeline: source, stages, consumers and checkpoint, from first row to last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.durability import Durability
from cdp_pipeline.engine.intake import Intake
from cdp_pipeline.engine.parcel import Edge, Outlet
from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.sink import ConsumerStage
from cdp_pipeline.engine.spec import StageFailed, StageSpec
from cdp_pipeline.engine.stage import ProcessorStage
from cdp_pipeline.engine.statistics import RunStatistics, StageStatistics
from cdpplugin import Consumer, Processor, Resume, Source
from cdpplugin.function import as_plugin_error


@dataclass(frozen=True, slots=True)
class ProcessorStep:
    """A processor in a pipeline, and how it is run."""

    spec: StageSpec
    processor: Processor


@dataclass(frozen=True, slots=True)
class ConsumerStep:
    """A consumer in a pipeline: an end, or a tap where stages follow."""

    spec: StageSpec
    consumer: Consumer


Step = ProcessorStep | ConsumerStep


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """Everything a run needs; all plugins are configured and started.

    Attributes:
        source_spec: Name, plugin and retry policy of the source.
        source: The source.
        steps: Processors and consumers, in order. A consumer is fed with what the next
            processor is fed with.
        store: Where the checkpoint is kept.
        checkpoint: Where this run goes on, or position -1.
        resume: Where the source goes on; None for its start.
        dead_letters: Where messages go that no stage could take.
        checkpoint_interval_s: How often the checkpoint is written at the most.
        edge_capacity: Parcels that may wait between two stages.
    """

    source_spec: StageSpec
    source: Source
    steps: Sequence[Step]
    store: CheckpointStore
    checkpoint: Checkpoint
    resume: Resume | None
    dead_letters: DeadLetters
    checkpoint_interval_s: float = 1.0
    edge_capacity: int = 2


@dataclass(slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        failures: What made stages give up, in order of time; empty for success.
        stopped: Whether somebody asked it to stop before the stream's end.
    """

    failures: list[StageFailed] = field(default_factory=list)
    stopped: bool = False


class Pipeline:
    """A run of one pipeline.

    Ends in one of three ways: the stream ends; `stop` is called; a stage fails. In each
    of them the source is stopped first, then everything that was read and can be kept
    is made durable and checkpointed. Cancelling `run` stops hard.

    Attributes:
        statistics: Live counters.
        on_stop: Called when somebody asks the run to stop: whoever else waits may give up.
    """

    def __init__(self, spec: PipelineSpec, statistics: RunStatistics) -> None:
        self._spec = spec
        self.statistics = statistics
        self._outcome = Outcome()
        self._patience = Patience()
        self.on_stop: Callable[[], None] = lambda: None
        self._flowing = asyncio.Event()
        self._flowing.set()
        consumers = [step.spec.name for step in spec.steps if isinstance(step, ConsumerStep)]
        self._has_consumers = bool(consumers)
        self._durability = Durability(
            spec.store, spec.checkpoint, consumers or [_NOWHERE], spec.source.acknowledge
        )
        self._work: list[Coroutine[Any, Any, None]] = []
        self._reading: asyncio.Task[None] | None = None
        self._wire()

    @property
    def checkpoint_position(self) -> int:
        """Position through which every consumer is durable; -1 for nothing yet."""
        return self._durability.position

    def _wire(self) -> None:
        """Hang every step on the outlet of the processor before it."""
        outlet = self._first = Outlet()
        for step in self._spec.steps:
            edge = outlet.connect(self._spec.edge_capacity)
            numbers = StageStatistics(step.spec.name, step.spec.plugin)
            self.statistics.stages.append(numbers)
            if isinstance(step, ConsumerStep):
                numbers.kind = "consumer"
                self._work.append(self._consume(step, edge, numbers))
            else:
                after = Outlet()
                self._work.append(self._process(step, edge, after, numbers))
                outlet = after
        if not outlet.edges:
            self._work.append(self._let_go(outlet.connect(self._spec.edge_capacity)))

    async def run(self) -> Outcome:
        """Run to the end; failures are in the outcome, not raised."""
        tasks = [asyncio.create_task(work) for work in self._work]
        tasks.append(asyncio.create_task(self._take_in()))
        saver = asyncio.create_task(self._durability.save_every(self._spec.checkpoint_interval_s))
        try:
            await asyncio.gather(*tasks)
            await self._durability.save()
        finally:
            await _end([saver, *tasks])
        return self._outcome

    def stop(self) -> None:
        """Stop reading; what was read is finished, made durable and checkpointed."""
        self._outcome.stopped = True
        self._patience.end()
        self.on_stop()
        self._stop_reading()

    def pause(self) -> None:
        """Let nothing more in; what is inside goes on to its end. Does nothing a second time."""
        self._flowing.clear()

    def resume(self) -> None:
        """Undo `pause`."""
        self._flowing.set()

    @property
    def is_paused(self) -> bool:
        """Whether nothing is let in."""
        return not self._flowing.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._outcome.stopped

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _take_in(self) -> None:
        spec = self._spec
        intake = Intake(
            spec.source_spec,
            spec.source,
            spec.resume,
            self._first,
            self._durability,
            self.statistics,
            self._patience,
            self._flowing,
        )
        reading = self._reading = asyncio.create_task(intake.run())
        if self._outcome.stopped or self._outcome.failures:
            reading.cancel()
        try:
            await asyncio.wait([reading])
        finally:
            reading.cancel()
        if not reading.cancelled() and (error := reading.exception()):
            if not isinstance(error, StageFailed):
                raise error
            self._fail(error)
        await self._first.put(None)

    async def _process(
        self, step: ProcessorStep, edge: Edge, outlet: Outlet, numbers: StageStatistics
    ) -> None:
        stage = ProcessorStage(
            step.spec,
            step.processor,
            edge,
            outlet,
            self._spec.dead_letters,
            numbers,
            self._patience,
        )
        try:
            await stage.run()
        except StageFailed as failure:
            self._fail(failure)
        except Exception as error:
            self._fail(StageFailed(step.spec, as_plugin_error(error), None))
        await outlet.put(None)
        await edge.discard()

    async def _consume(self, step: ConsumerStep, edge: Edge, numbers: StageStatistics) -> None:
        stage = ConsumerStage(
            step.spec,
            step.consumer,
            edge,
            self._spec.dead_letters,
            numbers,
            lambda position: self._durability.report(step.spec.name, position),
            self._patience,
        )
        try:
            await stage.run()
        except Exception as error:
            failure = error if isinstance(error, StageFailed) else None
            self._fail(failure or StageFailed(step.spec, as_plugin_error(error), None))
            with suppress(Exception):
                await stage.flush()
        await edge.discard()

    async def _let_go(self, edge: Edge) -> None:
        """Stand at an end without a consumer: what arrives has done its work."""
        while (parcel := await edge.get()) is not None:
            if not self._has_consumers:
                self._durability.report(_NOWHERE, parcel.completed_through)

    def _fail(self, failure: StageFailed) -> None:
        self._outcome.failures.append(failure)
        self._stop_reading()


_NOWHERE = "(no consumer)"


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(BaseException):
            await task
