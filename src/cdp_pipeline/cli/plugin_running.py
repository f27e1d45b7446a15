"""`flowctl plugin reload` and `flowctl plugin logs`: the plugins of a pipeline that runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.running import PipelineName, host, print_json
from cdp_pipeline.errors import ExitCode
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.admin.client import Client

_LOOK_EVERY_S = 0.5
_MOST_LINES = 1000

Name = Annotated[
    str,
    typer.Argument(
        help="The stage, or the plugin: then every stage that uses it.",
        metavar="NAME",
        show_default=False,
    ),
]


def reload(name: Name, pipeline: PipelineName = None, output: Output = OutputFormat.TEXT) -> None:
    """Reload a plugin of a running pipeline, and wait until the new code serves.

    The new instance is started beside the old one and takes over between two batches; if it
    fails, the old one goes on. Exit code 4 where it was rolled back or refused.

    Example: `flowctl plugin reload enrich`
    """
    from cdp_pipeline.admin.client import plugin_path

    with host(pipeline) as client:
        found = client.post(plugin_path(name, "/reload"), timeout_s=None)
    if output is OutputFormat.JSON:
        print_json(found)
    else:
        for report in found["reports"]:
            for line in report_lines(report):
                typer.echo(printable(line, indent="      "))
    if any(report["outcome"] != "switched" for report in found["reports"]):
        raise typer.Exit(ExitCode.PLUGIN)


def logs(
    name: Name,
    lines: Annotated[
        int, typer.Option(help="Most lines to show, the newest.", min=1, max=_MOST_LINES)
    ] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing lines until the run ends.")
    ] = False,
    pipeline: PipelineName = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Show the newest log lines of a plugin of a running pipeline; `json` is one object a line.

    Example: `flowctl plugin logs enrich --follow`
    """
    from cdp_pipeline.admin.client import plugin_path

    with host(pipeline) as client:
        for line in _lines(client, plugin_path(name, "/logs"), lines, follow=follow):
            is_json = output is OutputFormat.JSON
            typer.echo(json.dumps(line, ensure_ascii=False) if is_json else _line_text(line))


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield how a reload went, for people."""
    stage, before, after = report["plugin"], report["before"], report["after"]
    timings = dict(report["timings_s"])
    total = timings.pop("total", None)
    took = "" if total is None else f" in {total:.2f} s"
    if report["outcome"] == "switched":
        yield f"{stage}: switched from {before} to {after}{took}"
    else:
        outcome = report["outcome"].replace("_", " ")
        at = f" at the step `{report['step']}`" if report["step"] else ""
        yield f"{stage}: {after or 'the new version'} was {outcome}{at}{took}; {before} goes on"
        yield f"  error[{report['code']}]: {report['error']}"
    if report["hint"]:
        yield f"  hint: {report['hint']}"
    if timings:
        yield "  " + ", ".join(f"{step} {seconds:.2f} s" for step, seconds in timings.items())


def _lines(client: Client, path: str, most: int, *, follow: bool) -> Iterator[Mapping[str, Any]]:
    """Yield the newest lines, then those that follow until the host has gone."""
    from cdp_pipeline.admin.client import HostUnreachable
    from cdp_pipeline.admin.discovery import HostNotRunning

    found = client.get(path, lines=most)
    yield from found["lines"]
    while follow:
        time.sleep(_LOOK_EVERY_S)
        try:
            found = client.get(path, lines=_MOST_LINES, after=found["newest"])
        except (HostNotRunning, HostUnreachable):
            typer.echo("the run has ended", err=True)
            return
        yield from found["lines"]


def _line_text(line: Mapping[str, Any]) -> str:
    fields = "".join(f" {key}={value}" for key, value in line["fields"].items())
    text = f"{line['at']} [{line['level']:<8}] {line['plugin'] or line['stage']}: {line['message']}"
    return printable(text + fields, indent="  | ")
