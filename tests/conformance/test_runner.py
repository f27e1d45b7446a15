"""The runner: what it reports, what one case may cost the others, what it needs."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from cdpplugin import (
    Base,
    Batch,
    ConfigInvalid,
    Message,
    OutputCollector,
    Outputs,
    PluginMetadata,
    testing,
)

from .conftest import ROOT, Run


class Passing(Base):
    """Passes what it is given; notes its lives."""

    lives = 0

    def __init__(self) -> None:
        type(self).lives += 1

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("passing", "1.0.0", input_types=["Task"])

    async def process_batch(self, batch: Batch) -> Outputs:
        return Outputs.each(batch)


class NeedsKey(Passing):
    """Takes no configuration without `key`."""

    async def configure(self, config: Mapping[str, Any]) -> None:
        if "key" not in config:
            raise ConfigInvalid("`key` is missing")
        self.key = config["key"]


class Hangs(Passing):
    """Answers no batch of several rows."""

    async def process_batch(self, batch: Batch) -> Outputs:
        if len(batch) > 1:
            await asyncio.Event().wait()
        return Outputs.each(batch)


class Cancels(Passing):
    """Ends its calls as if somebody had cancelled them."""

    async def process_batch(self, batch: Batch) -> Outputs:
        raise asyncio.CancelledError


class NewIds(Passing):
    """Gives each output a new id each time."""

    serial = itertools.count()

    async def process_batch(self, batch: Batch) -> Outputs:
        collector = OutputCollector(batch)
        for row in range(len(batch)):
            message = Message(f"id-{next(self.serial)}", "Task", batch.payloads.value(row))
            collector.add(row, message)
        return collector.outputs()


def outcomes(report: testing.Report) -> dict[str, str]:
    return {each.case: each.outcome for each in report.results}


def test_a_name_chooses_a_case_or_a_group(run: Run) -> None:
    """`batches` is every case of that group, `life.health` one."""
    report = run(Passing, "batches", "life.health")
    groups = {each.case.partition(".")[0] for each in report.results}
    assert {"batches", "life"} == groups
    assert ["life.health"] == [each for each in outcomes(report) if each.startswith("life")]


def test_an_unknown_name_is_refused(run: Run) -> None:
    """A case that does not exist is not passed over in silence."""
    with pytest.raises(testing.UnknownCase, match="somersault"):
        run(Passing, "somersault")


def test_the_cases_of_other_kinds_are_not_tried(run: Run) -> None:
    """A processor is not asked for what sources and consumers do, nor for a reference's feats."""
    names = set(outcomes(run(Passing)))
    assert not {each for each in names if each.startswith(("source.", "consumer.", "reference."))}


def test_what_cannot_be_tried_is_skipped_with_its_reason(run: Run) -> None:
    """A plugin that needs a configuration is not called broken where none is known."""
    report = run(NeedsKey)
    skipped = {each.case: each.reason for each in report.of("skipped")}
    assert "needs a sample configuration: `key` is missing" == skipped["batches.sampled"]
    assert [] == report.of("failed")


def test_a_sample_configuration_is_handed_over(run: Run) -> None:
    """With the configuration that it needs the plugin is tried; the folder stands for its place."""
    made: list[NeedsKey] = []

    def create() -> NeedsKey:
        made.append(NeedsKey())
        return made[-1]

    report = run(create, "batches", config={"key": [f"{testing.FOLDER}/out"]})
    assert [] == report.of("failed")
    [used] = [each.key for each in made if hasattr(each, "key")]
    assert used[0].endswith("/out")
    assert testing.FOLDER not in used[0]


def test_a_refused_sample_configuration_is_a_failure(run: Run) -> None:
    """A plugin that refuses what it is said to accept fails."""
    report = run(NeedsKey, "config.accepted", config={"other": 1})
    [result] = report.of("failed")
    assert result.reason.startswith("ConfigInvalid [plugin.config_invalid]: `key` is missing")


def test_a_case_has_an_end(run: Run) -> None:
    """A plugin that hangs fails its case in time, and the next case gets another life."""
    lives = Hangs.lives
    report = run(Hangs, "batches.empty", "batches.sampled", "life.health", bound_s=0.3)
    assert {"batches.sampled": "no end within 0.3 s"} == {
        each.case: each.reason for each in report.of("failed")
    }
    assert 2 == len(report.of("passed"))
    assert Hangs.lives - lives >= 2


def test_a_call_that_ends_as_cancelled_is_a_failure(run: Run) -> None:
    """Only who runs the suite may cancel it; a plugin that does is told so."""
    [result] = run(Cancels, "batches.sampled", direct=True).results
    assert ("failed", "a call ended as cancelled, which nobody had cancelled") == (
        result.outcome,
        result.reason,
    )


def test_the_suite_can_be_cancelled() -> None:
    """Who runs the suite may give it up."""

    async def give_up() -> None:
        subject = testing.Subject(name="hanging", launch=launch)
        running = asyncio.create_task(testing.run(subject, names=["batches.sampled"]))
        await asyncio.sleep(0.05)
        running.cancel()
        await running

    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def launch() -> Any:
        yield Hangs()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())


def test_what_breaks_no_rule_is_noted(run: Run) -> None:
    """Ids that differ each time are legal and worth a word."""
    [result] = run(NewIds, "batches.repeated", direct=True).results
    assert "passed" == result.outcome
    assert any("ids differ" in note for note in result.notes)


def test_samples_take_the_place_of_made_up_messages(run: Run) -> None:
    """A plugin sees its own samples, and messages of its input types where it brings none."""
    seen: set[str] = set()

    class Notes(Passing):
        async def process_batch(self, batch: Batch) -> Outputs:
            seen.update(f"{kind} {payload!r}" for kind, payload in _rows(batch))
            return Outputs.each(batch)

    run(Notes, "batches.sampled")
    assert {"Task"} == {each.partition(" ")[0] for each in seen}
    seen.clear()
    run(Notes, "batches.sampled", messages=[Message(type="Payment", payload={"amount": 5})])
    assert {"Payment {'amount': 5}"} == seen


def _rows(batch: Batch) -> list[tuple[str, Any]]:
    return [(batch.types[row], batch.payloads.value(row)) for row in range(len(batch))]


def test_the_report_is_json(run: Run) -> None:
    """A report holds version, subject and every case, in plain values."""
    report = run(Passing, "life.health", "metadata.output_schemas")
    held = json.loads(json.dumps(report.as_json()))
    assert testing.CONFORMANCE_VERSION == held["conformance"]
    assert ("made here", "passing@1.0.0", "processor") == (
        held["subject"],
        held["plugin"],
        held["kind"],
    )
    assert ["metadata.output_schemas", "life.health"] == [each["case"] for each in held["cases"]]
    assert {"case", "rule", "outcome", "seconds", "reason", "notes"} == set(held["cases"][0])


def test_nothing_tried_is_no_conformance(run: Run) -> None:
    """A plugin on which nothing could be tried is not called conforming."""
    report = run(Passing, "metadata.output_schemas")
    assert ["skipped"] == [each.outcome for each in report.results]
    assert not report.conforms


def test_it_needs_no_test_framework() -> None:
    """The suite runs where neither pytest nor the host is installed."""
    code = (
        "import sys; from cdpplugin import testing; testing.all_cases(); "
        "print([name for name in ('pytest', '_pytest', 'cdp_pipeline', 'grpc') "
        "if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == found.stdout


def test_the_specification_lists_every_case() -> None:
    """`spec/conformance.md` has each case with its rule, and no other, and names the version."""
    text = (ROOT / "spec" / "conformance.md").read_text("utf-8")
    rows = text.partition("| case | holds for | rule |\n|---|---|---|\n")[2].splitlines()
    assert [_row(each) for each in testing.all_cases()] == rows
    assert f"Version **{testing.CONFORMANCE_VERSION}**" in text


def _row(case: testing.Case) -> str:
    kinds = "every kind" if len(case.kinds) == 3 else ", ".join(case.kinds)
    return f"| `{case.name}` | {kinds} | {case.rule} |"
