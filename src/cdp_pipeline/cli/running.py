"""`flowctl status` and `flowctl pipeline`: see and steer a pipeline that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.admin.client import Client

app = typer.Typer(
    help="Pause, resume or drain a pipeline that runs.",
    no_args_is_help=True,
)

PipelineName = Annotated[
    str | None,
    typer.Option(
        "--pipeline",
        "-p",
        help="The pipeline's name; without it the only one that runs.",
        metavar="NAME",
        show_default=False,
    ),
]
_COUNTERS = {
    "IN": "rows_in",
    "OUT": "rows_out",
    "DROPPED": "dropped",
    "RETRIED": "retried",
    "DEAD LETTERS": "dead_lettered",
    "ERRORS": "failed",
}
_SAID = {
    "running": "runs",
    "paused": "is paused: nothing is read until `flowctl pipeline resume`",
    "draining": "is draining: it ends once what was read is durable",
}


def status(pipeline: PipelineName = None, output: Output = OutputFormat.TEXT) -> None:
    """Show how a running pipeline is: how far, how fast, and every stage of it.

    Example: `flowctl status`
    """
    with host(pipeline) as client:
        found = client.get("/status")
    if output is OutputFormat.JSON:
        print_json(found)
        return
    for line in _status_lines(found):
        typer.echo(line)


@app.command()
def pause(pipeline: PipelineName = None, output: Output = OutputFormat.TEXT) -> None:
    """Let nothing more in; what is inside goes on to its end, and plugins stay up.

    Example: `flowctl pipeline pause`
    """
    _steer("pause", pipeline, output)


@app.command()
def resume(pipeline: PipelineName = None, output: Output = OutputFormat.TEXT) -> None:
    """Go on reading after a pause.

    Example: `flowctl pipeline resume`
    """
    _steer("resume", pipeline, output)


@app.command()
def drain(pipeline: PipelineName = None, output: Output = OutputFormat.TEXT) -> None:
    """Stop reading, make durable what was read, and end; returns as soon as that begins.

    Example: `flowctl pipeline drain --pipeline payments`
    """
    _steer("drain", pipeline, output)


def host(pipeline: str | None) -> Client:
    """Return what asks the host of *pipeline*, or the only one that runs.

    Raises:
        HostNotRunning: It does not run.
        SeveralHosts: No name was given, and several run.
    """
    from cdp_pipeline.admin.client import Client
    from cdp_pipeline.admin.discovery import find_host

    return Client(find_host(os.environ, pipeline))


def print_json(answer: Any) -> None:
    """Print an answer for machines."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _steer(command: str, pipeline: str | None, output: OutputFormat) -> None:
    with host(pipeline) as client:
        found = client.post(f"/pipeline/{command}")
    if output is OutputFormat.JSON:
        print_json(found)
    else:
        typer.echo(f"`{found['pipeline']}` {_SAID[found['state']]}")


def _status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    from cdp_pipeline.cli.columns import aligned
    from cdp_pipeline.cli.progress import duration

    durable = "nothing is durable yet"
    if found["checkpoint"] is not None:
        durable = f"durable through {found['checkpoint']:,}"
    yield f"{found['pipeline']}: {found['state']}, {_position(found)}, {durable}"
    yield f"{found['rows_read']:,} rows read in {duration(found['elapsed_s'])}"
    yield ""
    plugins = {plugin["name"]: plugin for plugin in found["plugins"]}
    source = plugins.get(found["source"], {})
    counts: list[Any] = ["", found["rows_read"], "", "", "", ""]
    rows = [[found["source"], _reference(source), _state(source), *counts]]
    for stage in found["stages"]:
        plugin = plugins.get(stage["name"], {})
        reference = _reference(plugin) or stage["plugin"]
        numbers = [stage[key] or "" for key in _COUNTERS.values()]
        rows.append([stage["name"], reference, _state(plugin), *numbers])
    yield from aligned(["STAGE", "PLUGIN", "STATE", *_COUNTERS], rows, numbers=list(_COUNTERS))
    for plugin in found["plugins"]:
        if plugin["reason"]:
            yield printable(f"{plugin['name']}: {plugin['reason']}")


def _position(found: Mapping[str, Any]) -> str:
    position = "-" if found["position"] is None else f"{found['position']:,}"
    until = "" if found["last"] is None else f" of {found['last']:,}"
    return f"{found['unit']} {position}{until}"


def _reference(plugin: Mapping[str, Any]) -> str:
    return str(plugin.get("reference", ""))


def _state(plugin: Mapping[str, Any]) -> str:
    return str(plugin.get("state", ""))
