"""A small pipeline of doubles, run by the real engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.engine.batcher import BatchLimits
from cdp_pipeline.engine.checkpoint import Checkpoint, CheckpointStore
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.pipeline import (
    ConsumerStep,
    Outcome,
    Pipeline,
    PipelineSpec,
    ProcessorStep,
)
from cdp_pipeline.engine.policy import ErrorPolicy
from cdp_pipeline.engine.spec import StageSpec
from cdp_pipeline.engine.statistics import RunStatistics
from cdpplugin import Batch, Resume, SourceBatch


def Policy(action: Any = "fail", **options: Any) -> ErrorPolicy:
    """A policy that never waits."""
    return ErrorPolicy(action, **({"attempts": 3, "initial_delay_s": 0.0} | options))


Limits = BatchLimits


def numbers(first: int, last: int, *, per_batch: int = 10) -> list[SourceBatch]:
    """Source batches of one row a position, payload {"n": position}."""
    return [
        SourceBatch(
            Batch.of(
                "Number",
                [{"n": n} for n in range(start, min(start + per_batch, last + 1))],
                ids=[f"n:{n}" for n in range(start, min(start + per_batch, last + 1))],
            ),
            list(range(start, min(start + per_batch, last + 1))),
            token=str(min(start + per_batch, last + 1) - 1).encode(),
        )
        for start in range(first, last + 1, per_batch)
    ]


class Bench:
    """Builds and runs pipelines in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.store = CheckpointStore(folder / "checkpoint.json")
        self.dead_letters = DeadLetters(folder / "dead-letters.jsonl")
        self.statistics = RunStatistics(source="scripted")

    def spec(
        self, name: str, policy: ErrorPolicy | None, limits: Limits | None, workers: int
    ) -> Any:
        return StageSpec(
            name=name,
            plugin=f"{name}@1.0.0",
            on_error=policy or Policy(),
            limits=limits or Limits(),
            workers=workers,
        )

    def pipeline(
        self,
        source: Any,
        *plugins: Any,
        policy: ErrorPolicy | None = None,
        limits: Limits | None = None,
        workers: int = 1,
        resume: Resume | None = None,
        takes: frozenset[str] = frozenset(),
    ) -> Pipeline:
        steps = []
        for index, plugin in enumerate(plugins):
            spec = self.spec(f"stage-{index}", policy, limits, workers)
            if plugin.metadata().type == "processor":
                spec = replace(spec, takes=takes)
            step = ConsumerStep if plugin.metadata().type == "consumer" else ProcessorStep
            steps.append(step(spec, plugin))
        self.statistics = RunStatistics(source="scripted")
        return Pipeline(
            PipelineSpec(
                source_spec=self.spec("source", policy, limits, 1),
                source=source,
                steps=steps,
                store=self.store,
                checkpoint=self.store.load() or Checkpoint(pipeline="p", source="scripted"),
                resume=resume,
                dead_letters=self.dead_letters,
                checkpoint_interval_s=0.01,
            ),
            self.statistics,
        )

    async def run(self, source: Any, *plugins: Any, **options: Any) -> Outcome:
        return await self.pipeline(source, *plugins, **options).run()

    @property
    def position(self) -> int | None:
        checkpoint = self.store.load()
        return None if checkpoint is None else checkpoint.position


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def number_batches() -> Callable[..., Sequence[SourceBatch]]:
    return numbers
