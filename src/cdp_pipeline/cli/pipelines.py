"""`flowctl validate` and `flowctl schema`."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat, PipelineFile
from cdp_pipeline.cli.settings import SettingsFile

if TYPE_CHECKING:
    from cdp_pipeline.host.validation import Report


def validate(
    file: PipelineFile, output: Output = OutputFormat.TEXT, settings: SettingsFile = None
) -> None:
    """Check a pipeline file. Starts nothing and touches nothing.

    Example: `flowctl validate examples/pipelines/quickstart.yaml`
    """
    from cdp_pipeline.cli.report import error_text
    from cdp_pipeline.cli.settings import host_settings, unused
    from cdp_pipeline.host.file_check import check_file

    host = host_settings(settings)
    report = check_file(file, os.environ, host)
    report.notes += unused(host)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(_as_json(report), indent=2))
    else:
        for fault in report.faults:
            typer.echo(error_text(fault), err=True)
        for line in report.unchecked:
            typer.echo(f"unchecked until start: {line}")
        for note in report.notes:
            typer.echo(f"note: {note}")
        if not report.faults:
            names = " -> ".join(stage.name for stage in report.stages)
            source = report.source.name if report.source else ""
            typer.echo(f"{file} is valid: {source} -> {names}")
    if report.faults:
        raise typer.Exit(report.faults[0].exit_code)


def _as_json(report: Report) -> dict[str, object]:
    return {
        "valid": not report.faults,
        "faults": [
            {"code": f.code, "message": f.message, "where": f.where, "hint": f.hint}
            for f in report.faults
        ],
        "unchecked": report.unchecked,
        "notes": report.notes,
    }


class SchemaName(StrEnum):
    """Which file's schema."""

    PIPELINE = "pipeline"
    PLUGIN = "plugin"
    SETTINGS = "settings"


def schema(
    name: Annotated[
        SchemaName, typer.Argument(help="pipeline.yaml, plugin.yaml or flowctl.yaml")
    ] = SchemaName.PIPELINE,
) -> None:
    """Print the JSON Schema of a file, for editors.

    Example: `flowctl schema pipeline > pipeline.schema.json`
    """
    from cdp_pipeline.artifacts.manifest import plugin_schema
    from cdp_pipeline.config import pipeline_schema, settings_schema
    from cdp_pipeline.host.catalog import Catalog

    if name is SchemaName.PLUGIN:
        found = plugin_schema()
    elif name is SchemaName.SETTINGS:
        found = settings_schema()
    else:
        catalog = Catalog()
        found = pipeline_schema(catalog.metadata(name) for name in catalog.types)
    typer.echo(json.dumps(found, indent=2))
