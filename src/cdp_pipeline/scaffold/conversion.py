"""Turn one pipeline of the ancestor's into one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from cdp_pipeline.config.locations import Locations
from cdp_pipeline.scaffold.consumers import convert_consumer
from cdp_pipeline.scaffold.documents import OldComponent, OldPipeline
from cdp_pipeline.scaffold.findings import Findings
from cdp_pipeline.scaffold.pipeline_text import PipelineText, Step
from cdp_pipeline.scaffold.processors import ProcessorChain
from cdp_pipeline.scaffold.sources import convert_source
from cdp_pipeline.scaffold.values import network_name, pipeline_name, translated


@dataclass(frozen=True, slots=True)
class Conversion:
    """A pipeline of the ancestor's, converted as far as it goes.

    Attributes:
        old_name: Its name there.
        text: The pipeline here.
        findings: What was converted and what has no counterpart.
    """

    old_name: str
    text: PipelineText
    findings: Findings

    @property
    def name(self) -> str:
        """Its name here."""
        return self.text.name


def convert(old: OldPipeline, locations: Locations) -> Conversion:
    """Return *old*, which stands in the file that *locations* is about, as a pipeline of ours."""
    findings = Findings(locations)
    network = _network(old, findings)
    source = _source(old, network, findings)
    chain = ProcessorChain(findings)
    for processor in old.processors:
        chain.add(processor)
    stages = chain.steps
    for consumer in old.consumers:
        stages.append(convert_consumer(consumer, chain.flowing, stages, findings))
    _require_stages(old, stages, findings)
    file = PurePath(locations.file).name
    comments = [f"Made by `flowctl config upgrade` of `{old.name}` in {file}."]
    if findings.faults:
        comments.append(f"{len(findings.faults)} things have no counterpart: see NO COUNTERPART.")
    text = PipelineText(pipeline_name(old.name), source, stages, network, comments)
    return Conversion(old.name, text, findings)


def _source(old: OldPipeline, network: str, findings: Findings) -> Step:
    if old.source is not None:
        return convert_source(old.source, network, findings)
    hint = "say where ledgers come from: `flowctl list sources`"
    message = "it has no source"
    return Step(comments=[findings.lacking(f"pipeline `{old.name}`", message, old.at, hint)])


def _require_stages(old: OldPipeline, stages: list[Step], findings: Findings) -> None:
    if not old.consumers or not any(step.type for step in stages):
        has_faults = any("NO COUNTERPART" in comment for s in stages for comment in s.comments)
        if not has_faults:
            hint = "add a consumer: `flowctl list consumers`"
            message = "nothing is done with what is read"
            comment = findings.lacking(f"pipeline `{old.name}`", message, old.at, hint)
            stages.append(Step(comments=[comment]))


def _network(old: OldPipeline, findings: Findings) -> str:
    """Return the one network that the pipeline's components name; two are a fault."""
    found = ""
    for component, option, name in _networks(old):
        if found and name != found:
            message = f"names the network `{name}`, another one `{found}`"
            hint = "a pipeline reads one network: make two pipelines"
            findings.lacking_option(component, option, hint, message)
        found = found or name
    return found


def _networks(old: OldPipeline) -> Iterator[tuple[OldComponent, str, str]]:
    source = [old.source] if old.source else []
    for component in (*source, *old.processors, *old.consumers):
        for option in ("network", "network_passphrase"):
            value = component.config.get(option)
            if isinstance(value, str) and value:
                yield component, option, network_name(translated(value))
