"""`flowctl plugin list`: the plugins of a running pipeline, else those in the plugin folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.running import PipelineName, host, print_json
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.artifacts.plugin_folders import FoundPlugin

_NUMBERS = {"CALLS": "calls", "ROWS": "rows", "FAILED": "failed_rows", "RELOADS": "reloads"}


def list_plugins(
    pipeline: PipelineName = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show what confines each plugin, and since when it runs.")
    ] = False,
    output: Output = OutputFormat.TEXT,
    settings: SettingsFile = None,
) -> None:
    """List the plugins of a running pipeline; where none runs, those in the plugin folders.

    Example: `flowctl plugin list --wide`
    """
    from cdp_pipeline.admin.discovery import running_hosts

    if pipeline is None and not running_hosts(os.environ):
        _list_found(settings, output)
        return
    with host(pipeline) as client:
        found = client.get("/plugins")
    if output is OutputFormat.JSON:
        print_json(found)
        return
    for line in _running_lines(found["plugins"], wide=wide):
        typer.echo(line)


def _running_lines(plugins: Sequence[Mapping[str, Any]], *, wide: bool) -> Iterator[str]:
    from cdp_pipeline.cli.columns import aligned

    heads = ["NAME", "VERSION", "KIND", "RUNTIME", "STATE", "HEALTH", *_NUMBERS]
    rows = [
        [
            plugin["name"],
            plugin["reference"].rpartition("@")[2],
            *(plugin[key] for key in ("kind", "runtime", "state", "health")),
            *(plugin[key] for key in _NUMBERS.values()),
        ]
        for plugin in plugins
    ]
    yield from aligned(heads, rows, numbers=list(_NUMBERS))
    for plugin in plugins:
        yield from _notes(plugin, wide=wide)


def _notes(plugin: Mapping[str, Any], *, wide: bool) -> Iterator[str]:
    """Yield what the table has no room for: what is wrong, and with *wide* what confines it."""
    facts = {
        "reason": plugin["reason"],
        "health": plugin["health_message"] if plugin["health"] != "healthy" else "",
        "probation": "its new version may still be rolled back" if plugin["on_probation"] else "",
    }
    if wide:
        facts |= {"plugin": plugin["reference"], "since": plugin["since"]}
        facts |= plugin["confinement"]
    shown = {key: text for key, text in facts.items() if text}
    if shown:
        yield f"\n{printable(plugin['name'])}:"
    for key, text in shown.items():
        yield printable(f"  {key + ':':<13} {text}", indent="      ")


def _list_found(settings: Path | None, output: OutputFormat) -> None:
    from cdp_pipeline.artifacts.plugin_folders import find_plugins
    from cdp_pipeline.cli.settings import host_settings

    folders = host_settings(settings).plugin_folders
    found = find_plugins(folders)
    if output is OutputFormat.JSON:
        print_json({"pipeline": None, "plugins": [_as_json(plugin) for plugin in found]})
        return
    typer.echo(f"no pipeline is running; plugins in {', '.join(folders)}:", err=True)
    for line in _found_lines(found):
        typer.echo(line)


def _found_lines(found: Sequence[FoundPlugin]) -> Iterator[str]:
    from cdp_pipeline.cli.columns import aligned

    if not found:
        yield "none"
        return
    rows = [
        [each.name, each.version, each.kind, each.runtime, _use(each), str(each.path)]
        for each in found
    ]
    yield from aligned(["NAME", "VERSION", "KIND", "RUNTIME", "MANIFEST", "PATH"], rows)
    for each in found:
        if each.error is not None:
            yield ""
            yield printable(f"{each.name}: {each.error.message}")


def _use(plugin: FoundPlugin) -> str:
    if plugin.error is not None:
        return "cannot be used"
    return "ok" if plugin.version else ""


def _as_json(plugin: FoundPlugin) -> dict[str, Any]:
    error = plugin.error
    return {
        "name": plugin.name,
        "version": plugin.version,
        "kind": plugin.kind,
        "runtime": plugin.runtime,
        "path": str(plugin.path),
        "error": error and {"code": error.code, "message": error.message, "hint": error.hint},
    }
