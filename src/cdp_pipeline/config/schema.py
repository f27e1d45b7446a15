"""JSON Schemas of the files people write, for editors and for `flowctl schema`.

Generated from the same models that read the files (draft 2020-12).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from cdp_pipeline.config.building import model_schema
from cdp_pipeline.config.model import Frozen
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.settings import HostSettings
from cdpplugin.metadata import PluginMetadata

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline_schema(components: Iterable[PluginMetadata] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a pipeline file.

    Args:
        components: Known components; editors then complete their names, and check and
            complete their configurations. Other names stay allowed.
    """
    schema = published(PipelineConfig, "pipeline")
    known = list(components)
    if known:
        _know(schema, "SourceConfig", [one for one in known if one.type == "source"])
        _know(schema, "StageConfig", [one for one in known if one.type != "source"])
    return schema


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of `flowctl.yaml`."""
    return published(HostSettings, "settings")


def published(model: type[Frozen], name: str) -> dict[str, Any]:
    """Return the JSON Schema of *model* as it is given out under *name*."""
    schema = copy.deepcopy(dict(model_schema(model)))
    _tidy(schema)
    return {"$schema": DIALECT, "$id": f"urn:cdp-pipeline:schema:{name}", **schema}


def _tidy(node: Any) -> None:
    """Leave out generated titles and empty defaults: they tell a reader nothing."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    for properties in (node.get("properties"), node.get("$defs")):
        for inner in (properties or {}).values():
            inner.pop("title", None)
            if inner.get("default", 0) in ("", None, {}, []):
                inner.pop("default", None)
    for value in node.values():
        _tidy(value)


def _know(schema: dict[str, Any], model: str, components: list[PluginMetadata]) -> None:
    definition = schema["$defs"][model]
    names = [
        {"const": component.name, "description": component.description} for component in components
    ]
    kind = definition["properties"]["type"]
    kind["anyOf"] = [*names, {"type": kind.pop("type"), "minLength": kind.pop("minLength", 1)}]
    definition["allOf"] = [_configured(schema, component) for component in components]


def _configured(schema: dict[str, Any], component: PluginMetadata) -> dict[str, Any]:
    name = f"{component.type}.{component.name}"
    config = copy.deepcopy(dict(component.config_schema))
    for inner, definition in config.pop("$defs", {}).items():
        schema["$defs"][f"{name}.{inner}"] = _moved(definition, name)
    schema["$defs"][name] = _moved(config, name)
    return {
        "if": {"properties": {"type": {"const": component.name}}, "required": ["type"]},
        "then": {"properties": {"config": {"$ref": f"#/$defs/{_escaped(name)}"}}},
    }


def _moved(node: Any, name: str) -> Any:
    """Return *node* with its local references pointing into the definitions of *name*."""
    if isinstance(node, list):
        return [_moved(item, name) for item in node]
    if not isinstance(node, Mapping):
        return node
    moved = {key: _moved(value, name) for key, value in node.items() if key != "$schema"}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference == "#":
        moved["$ref"] = f"#/$defs/{_escaped(name)}"
    elif isinstance(reference, str) and reference.startswith("#/$defs/"):
        moved["$ref"] = f"#/$defs/{_escaped(name)}.{reference.removeprefix('#/$defs/')}"
    return moved


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
