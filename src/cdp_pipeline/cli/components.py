"""`flowctl list` and `flowctl explain`: what can stand in a pipeline, in its own words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat


class Kind(StrEnum):
    """Which components."""

    SOURCES = "sources"
    PROCESSORS = "processors"
    CONSUMERS = "consumers"


def list_components(
    kind: Annotated[Kind | None, typer.Argument(help="Only these.", show_default=False)] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """List the components that can stand in a pipeline.

    Example: `flowctl list consumers`
    """
    from cdp_pipeline.host.catalog import Catalog

    catalog = Catalog()
    kinds = [kind] if kind else list(Kind)
    found = {each: catalog.of_kind(each.removesuffix("s")) for each in kinds}
    if output is OutputFormat.JSON:
        rows = [
            {"type": name, "kind": m.type, "version": m.version, "description": m.description}
            for entries in found.values()
            for name, m in entries
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    for each, entries in found.items():
        typer.echo(f"{each}:")
        for name, metadata in entries:
            typer.echo(f"  {name:<20} {metadata.description}")


def explain(
    type_name: Annotated[str, typer.Argument(help="Type name, as in `type:`.", metavar="TYPE")],
    output: Output = OutputFormat.TEXT,
) -> None:
    """Explain a component: what it takes and gives, and every key of its configuration.

    Example: `flowctl explain save-to-parquet`
    """
    from cdp_pipeline.host.catalog import Catalog

    metadata = Catalog().metadata(type_name)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(dict(metadata.config_schema), indent=2))
        return
    typer.echo(f"{type_name} ({metadata.type}, {metadata.version})\n{metadata.description}\n")
    typer.echo(f"takes: {', '.join(metadata.input_types) or 'anything'}")
    if metadata.type != "consumer":
        typer.echo(f"gives: {', '.join(metadata.output_types) or 'what it takes'}")
    typer.echo("\nconfig:")
    for line in setting_lines(metadata.config_schema):
        typer.echo(line)


def setting_lines(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield two lines a key of a JSON Schema: its form and default, then what it means."""
    properties = schema.get("properties", {})
    if not properties:
        yield "  (nothing to set)"
    required = schema.get("required", [])
    for key, inner in properties.items():
        default = inner.get("default")
        note = "" if default is None else f"  [default {json.dumps(default)}]"
        yield f"  {key}: {form_of(inner, schema)}{'  [required]' if key in required else note}"
        if inner.get("description"):
            yield f"      {inner['description']}"


def form_of(inner: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return in a few words what values a JSON Schema takes."""
    if "$ref" in inner:
        name = str(inner["$ref"]).rpartition("/")[2]
        return form_of(root.get("$defs", {}).get(name, {}), root)
    if "enum" in inner:
        return " | ".join(map(str, inner["enum"]))
    if "const" in inner:
        return str(inner["const"])
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in inner:
            forms = [form_of(each, root) for each in inner[keyword] if each != {"type": "null"}]
            return " | ".join(dict.fromkeys(forms))
    if inner.get("type") == "array":
        return f"list of {form_of(inner.get('items', {}), root)}"
    kinds = inner.get("type", "anything")
    return " | ".join(map(str, kinds)) if isinstance(kinds, list) else str(kinds)
