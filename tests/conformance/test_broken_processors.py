"""A processor with one fault fails the case whose rule it breaks, by name."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cdpplugin import (
    Base,
    Batch,
    Context,
    HealthStatus,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Retry,
)

from .conftest import Run

BOUND_S = 2.0
SCHEMA = {"type": "object", "additionalProperties": False}


class Echo(Base):
    """Passes messages whose payload is JSON; keeps every rule."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("echo", "1.0.0", config_schema=SCHEMA)

    async def process_batch(self, batch: Batch) -> Outputs:
        errors: dict[int, PluginError] = {}
        for row in range(len(batch)):
            try:
                batch.payloads.value(row)
            except PluginError as error:
                errors[row] = error
        good = [row for row in range(len(batch)) if row not in errors]
        return Outputs([OutputPart(batch.take(good), good)], errors)


class Reorders(Echo):
    """Gives the rows of a batch in the wrong order."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs.each(batch.take(list(reversed(range(len(batch))))))


class LosesLastRow(Echo):
    """Loses the last row of every batch with several."""

    async def process_batch(self, batch: Batch) -> Outputs:
        kept = len(batch) - 1 if len(batch) > 1 else len(batch)
        return Outputs([OutputPart(batch.slice(0, kept), range(kept))])


class LosesLateRows(Echo):
    """Loses what stands behind row 5,000."""

    async def process_batch(self, batch: Batch) -> Outputs:
        kept = min(len(batch), 5_000)
        return Outputs([OutputPart(batch.slice(0, kept), range(kept))])


class Doubles(Echo):
    """Gives the first row twice."""

    async def process_batch(self, batch: Batch) -> Outputs:
        rows = [0, *range(len(batch))] if len(batch) else []
        return Outputs([OutputPart(batch.take(rows), rows)])


class NamesRowsBeyond(Echo):
    """Names rows that are not in the batch."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs([OutputPart(batch, [row + 1 for row in range(len(batch))])])


class NamesRowsBackwards(Echo):
    """Names rows in decreasing order."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs([OutputPart(batch, list(reversed(range(len(batch)))))])


class ErrorAndOutput(Echo):
    """Gives a row both an output and an error."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return replace(Outputs.each(batch), errors={0: PluginError("oops")} if len(batch) else {})


class CountsTooManyDrops(Echo):
    """Says that it dropped rows, and gives outputs for them."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return replace(Outputs.each(batch), dropped={"small": 3})


class GivesUnnamedType(Echo):
    """Gives a type that its metadata do not name."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("echo", "1.0.0", output_types=["Other"])


class FailsOnEmpty(Echo):
    """Cannot take a batch of no messages."""

    async def process_batch(self, batch: Batch) -> Outputs:
        batch.payloads.value(0)
        return await super().process_batch(batch)


class FailsWholeBatch(Echo):
    """Lets a payload that makes no sense fail its whole batch."""

    async def process_batch(self, batch: Batch) -> Outputs:
        for row in range(len(batch)):
            batch.payloads.value(row)
        return Outputs.each(batch)


class NeverRecovers(Echo):
    """Answers nothing any more once a payload made no sense."""

    broken = False

    async def process_batch(self, batch: Batch) -> Outputs:
        outputs = await super().process_batch(batch)
        if self.broken:
            return Outputs(errors=dict.fromkeys(range(len(batch)), PluginError("broken")))
        self.broken = bool(outputs.errors)
        return outputs


class HangsOnLargePayload(Echo):
    """Never answers a payload of more than 1 MiB."""

    async def process_batch(self, batch: Batch) -> Outputs:
        if batch.payloads.size_bytes > 1 << 20:
            await asyncio.Event().wait()
        return await super().process_batch(batch)


class DiesOnDepth(Echo):
    """Ends with a deeply nested payload, as a process that died would."""

    async def process_batch(self, batch: Batch) -> Outputs:
        if any(row.count(b"[") > 20 for row in batch.payloads.json()):
            self.dead = True
            raise Retry("the plugin died", code="plugin.crashed")
        return await super().process_batch(batch)

    async def health(self) -> HealthStatus:
        return HealthStatus("unhealthy" if hasattr(self, "dead") else "healthy")


class MixesBatches(Echo):
    """Answers a batch with what another batch holds that came meanwhile."""

    latest: Batch

    async def process_batch(self, batch: Batch) -> Outputs:
        self.latest = batch
        await asyncio.sleep(0)
        return Outputs.each(self.latest if len(self.latest) == len(batch) else batch)


class LosesTraceId(Echo):
    """Passes messages without their trace id."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs.each(batch.replace(trace_ids=[""] * len(batch)))


class LosesMetadata(Echo):
    """Passes messages without their metadata."""

    async def process_batch(self, batch: Batch) -> Outputs:
        metadata: list[Mapping[str, Any]] = [{}] * len(batch)
        return Outputs.each(batch.replace(metadata=metadata))


class AnswersAtRandom(Echo):
    """Answers something else each time."""

    async def process_batch(self, batch: Batch) -> Outputs:
        values = [{"random": random.random()} for _ in range(len(batch))]
        return Outputs.each(batch.replace(payloads=JsonPayloads.of(values)))


class ChangesItsInput(Echo):
    """Writes into the batch that it was handed."""

    async def process_batch(self, batch: Batch) -> Outputs:
        for metadata in batch.metadata:
            metadata["seen"] = True  # type: ignore[index]
        return Outputs.each(batch)


class GivesBrokenPayloads(Echo):
    """Gives payloads that are no JSON."""

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs.each(batch.replace(payloads=JsonPayloads([b"{"] * len(batch))))


class OtherNameEachTime(Echo):
    """Calls itself something else in each instance."""

    serial = itertools.count()

    def __init__(self) -> None:
        self.name = f"echo-{next(self.serial)}"

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(self.name, "1.0.0")


class NoVersion(Echo):
    """Has a version that is none."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("echo", "latest")


class TypeTwice(Echo):
    """Names an input type twice."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("echo", "1.0.0", input_types=["A", "A"])


class NoSchema(Echo):
    """Publishes a schema that is none."""

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("echo", "1.0.0", config_schema={"type": "mapping"})


class SchemaOfOtherType(Echo):
    """Publishes the schema of a type that it does not give."""

    def metadata(self) -> PluginMetadata:
        schemas: Mapping[str, Mapping[str, Any]] = {"B": {}}
        return PluginMetadata("echo", "1.0.0", output_types=["A"], output_schema=schemas)


class CrashesOnUnknownKey(Echo):
    """Refuses an unknown key with an error that says nothing of the configuration."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        if config:
            raise KeyError


class EatsItsConfig(Echo):
    """Takes keys out of the configuration that it was handed."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        config.pop("key", None)  # type: ignore[attr-defined]


class StopsOnlyOnce(Echo):
    """Fails to stop when it was never started."""

    started = False

    async def start(self, context: Context) -> None:
        self.started = True

    async def stop(self) -> None:
        assert self.started


class StopsOnlyAfterWork(Echo):
    """Fails to stop when it was given nothing."""

    async def process_batch(self, batch: Batch) -> Outputs:
        self.worked = True
        return await super().process_batch(batch)

    async def stop(self) -> None:
        if not hasattr(self, "worked"):
            raise RuntimeError("nothing to flush")


class Unwell(Echo):
    """Says that it is unhealthy as soon as it is started."""

    async def health(self) -> HealthStatus:
        return HealthStatus("unhealthy", "no disk")


class HealthNeedsStart(Echo):
    """Cannot say how it is before it is started."""

    async def start(self, context: Context) -> None:
        self.status = HealthStatus()

    async def health(self) -> HealthStatus:
        return self.status


class OneAtATime(Echo):
    """Cannot live beside another instance."""

    alive = 0

    async def start(self, context: Context) -> None:
        if type(self).alive:
            raise RuntimeError("the port is taken")
        type(self).alive += 1

    async def stop(self) -> None:
        type(self).alive = 0


class LivesOnce(Echo):
    """Leaves something behind that keeps the next instance from starting."""

    used = 0

    async def start(self, context: Context) -> None:
        type(self).used += 1
        if type(self).used > 1:
            raise RuntimeError("the lock file is there")


FAULTS: list[tuple[Callable[[], Any], str]] = [
    (Reorders, "batches.one_row"),
    (LosesLastRow, "batches.one_row"),
    (LosesLateRows, "load.rows"),
    (Doubles, "batches.ids"),
    (NamesRowsBeyond, "batches.sampled"),
    (NamesRowsBackwards, "batches.sampled"),
    (ErrorAndOutput, "batches.sampled"),
    (CountsTooManyDrops, "batches.sampled"),
    (GivesUnnamedType, "batches.sampled"),
    (GivesBrokenPayloads, "batches.sampled"),
    (FailsOnEmpty, "batches.empty"),
    (FailsWholeBatch, "payloads.garbage"),
    (NeverRecovers, "payloads.garbage"),
    (HangsOnLargePayload, "payloads.large"),
    (DiesOnDepth, "payloads.awkward"),
    (MixesBatches, "load.at_once"),
    (LosesTraceId, "batches.passing"),
    (LosesMetadata, "batches.passing"),
    (AnswersAtRandom, "batches.repeated"),
    (ChangesItsInput, "batches.given_batch"),
    (OtherNameEachTime, "metadata.repeated"),
    (NoVersion, "metadata.identity"),
    (TypeTwice, "metadata.forms"),
    (NoSchema, "metadata.schemas"),
    (SchemaOfOtherType, "metadata.output_schemas"),
    (CrashesOnUnknownKey, "config.unknown_key"),
    (StopsOnlyOnce, "life.stop_unstarted"),
    (StopsOnlyAfterWork, "life.stop_without_work"),
    (Unwell, "life.health"),
    (HealthNeedsStart, "life.health_unstarted"),
    (OneAtATime, "life.two_lives"),
    (LivesOnce, "life.second_life"),
]


@pytest.mark.parametrize(("broken", "case"), FAULTS, ids=lambda each: getattr(each, "__name__", ""))
def test_it_fails(broken: Callable[[], Any], case: str, run: Run) -> None:
    """The case whose rule is broken fails, and says why."""
    report = run(broken, case, direct=True, bound_s=BOUND_S)
    [result] = report.results
    assert ("failed", case) == (result.outcome, result.case)
    assert result.reason
    assert not report.conforms


def test_a_changed_configuration_is_noticed(run: Run) -> None:
    """A plugin that takes keys out of what it was handed fails."""
    report = run(EatsItsConfig, "config.untouched", direct=True, config={"key": 1})
    assert ["failed"] == [each.outcome for each in report.results]


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "native"])
def test_a_plugin_without_fault_passes(direct: bool, run: Run) -> None:
    """The plugin that the faulty ones are made of keeps every rule."""
    report = run(Echo, direct=direct)
    assert [] == [f"{each.case}: {each.reason}" for each in report.of("failed")]
    assert report.conforms
