"""Check a pipeline as far as possible without starting or touching anything."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdp_pipeline.config.faults import faults_of, in_file_order
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.errors import CdpError, ConfigError
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component, Resolver
from cdp_pipeline.host.plugins import Plugins

ANY = frozenset({"*"})


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        faults: What is wrong; empty means the pipeline can be started.
        unchecked: What cannot be known before the start.
        notes: What is allowed and probably not meant.
        source: The resolved source, if it could be resolved.
        stages: The resolved stages.
    """

    faults: list[CdpError] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: Component | None = None
    stages: list[Component] = field(default_factory=list)


def check(
    pipeline: PipelineConfig,
    environ: Mapping[str, str],
    catalog: Catalog | None = None,
    plugins: Plugins | None = None,
) -> Report:
    """Resolve every component of *pipeline* and see whether they fit together."""
    report = Report()
    plugins = plugins or Plugins(catalog or Catalog(), environ)
    resolver = Resolver(pipeline, plugins, environ)
    try:
        report.source = resolver.source()
    except CdpError as error:
        _note(report, error)
    for stage in resolver.stages():
        if isinstance(stage, Component):
            report.stages.append(stage)
        else:
            _note(report, stage)
    _note_unchecked(report)
    if not report.faults:
        _check_types(report)
        _check_end(report)
    _check_outputs(report)
    report.faults = [*in_file_order(f for f in report.faults if isinstance(f, ConfigError))] + [
        fault for fault in report.faults if not isinstance(fault, ConfigError)
    ]
    return report


def _note(report: Report, error: CdpError) -> None:
    report.faults += faults_of(error) if isinstance(error, ConfigError) else [error]


def _note_unchecked(report: Report) -> None:
    source = [report.source] if report.source else []
    for component in (*source, *report.stages):
        if component.metadata is None:
            report.unchecked.append(f"`{component.name}`: its kind, configuration and types")


def _check_types(report: Report) -> None:
    """Every stage must be able to get at least one type of message that it takes."""
    source = report.source.metadata if report.source else None
    flowing = frozenset(source.output_types) if source and source.output_types else ANY
    for stage in report.stages:
        if stage.metadata is None:
            flowing = ANY
            continue
        takes = frozenset(stage.metadata.input_types)
        if takes and flowing != ANY and not takes & flowing:
            report.faults.append(_no_type_fits(stage, takes, flowing))
        if stage.metadata.type == "processor" and stage.metadata.output_types:
            flowing = _after(flowing, takes, frozenset(stage.metadata.output_types))


def _after(flowing: frozenset[str], takes: frozenset[str], gives: frozenset[str]) -> frozenset[str]:
    return gives if flowing == ANY or not takes else (flowing - takes) | gives


def _no_type_fits(stage: Component, takes: frozenset[str], flowing: frozenset[str]) -> ConfigError:
    return ConfigError(
        f"`{stage.name}` takes {_listed(takes)}, the stages before it give {_listed(flowing)}",
        code="pipeline.types_mismatch",
        where=stage.where,
        hint="change the order of the stages, or put one between them that gives such messages",
    )


def _listed(types: frozenset[str]) -> str:
    return " or ".join(f"`{name}`" for name in sorted(types))


def _check_end(report: Report) -> None:
    if not report.stages:
        return
    kinds = [stage.metadata.type if stage.metadata else "" for stage in report.stages]
    if kinds[-1] == "processor":
        report.notes.append(
            f"nothing follows `{report.stages[-1].name}`: what it gives is thrown away"
        )


def _check_outputs(report: Report) -> None:
    """No two consumers of a type may write to one place: each would take the other's for its own.

    Stages that name different `tables` may share a folder.
    """
    written: list[tuple[str, str, Component]] = []
    for stage in report.stages:
        place = stage.config.get("path")
        if stage.metadata is None or stage.metadata.type != "consumer" or place in (None, "", "-"):
            continue
        resolved = _resolved(str(place))
        for name, other_place, other in written:
            if (name, other_place) == (stage.metadata.name, resolved) and _overlap(stage, other):
                report.faults.append(_shared(stage, other, str(place)))
                break
        written.append((stage.metadata.name, resolved, stage))


def _resolved(place: str) -> str:
    return place.rstrip("/") if "://" in place else os.path.realpath(place)


def _overlap(stage: Component, other: Component) -> bool:
    tables, others = stage.config.get("tables"), other.config.get("tables")
    if not isinstance(tables, list) or not isinstance(others, list) or not tables or not others:
        return True
    return not {*map(str, tables)}.isdisjoint(map(str, others))


def _shared(stage: Component, other: Component, place: str) -> ConfigError:
    return ConfigError(
        stage.secrets.masked(f"`{other.name}` and `{stage.name}` both write to `{place}`"),
        code="pipeline.output_shared",
        where=stage.where,
        hint="give each stage a `path` of its own",
    )
