"""`flowctl doctor`: what this machine can do, and what to do about what is missing."""

from __future__ import annotations

import json
import os

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.observability.text import printable

_MARKS = {"ok": "ok      ", "weak": "weak    ", "missing": "missing "}


def doctor(output: Output = OutputFormat.TEXT) -> None:
    """Look at toolchains, isolation, folders and credentials. Changes nothing; exit code 0.

    Example: `flowctl doctor`
    """
    from cdp_pipeline.host.machine import examine

    if output is OutputFormat.JSON:
        findings = [finding.as_json() for finding in examine(os.environ)]
        typer.echo(json.dumps(findings, indent=2))
        return
    group = ""
    for finding in examine(os.environ):
        if finding.group != group:
            group = finding.group
            typer.echo(f"{group}")
        found = f"  {finding.found}" if finding.found else ""
        typer.echo(printable(f"  {_MARKS[finding.verdict]} {finding.name}{found}"))
        if finding.hint:
            typer.echo(printable(f"            for {finding.needed_for}: {finding.hint}"))
