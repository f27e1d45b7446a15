from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from cdp_pipeline.artifacts.manifest import plugin_schema
from cdp_pipeline.config import pipeline_schema, settings_schema
from cdpplugin.metadata import PluginMetadata

COMPONENTS = [
    PluginMetadata(
        name="galexie",
        version="0.1.0",
        type="source",
        description="Reads a lake.",
        config_schema={
            "type": "object",
            "properties": {"range": {"$ref": "#/$defs/Range"}},
            "required": ["range"],
            "$defs": {"Range": {"type": "object", "required": ["start"]}},
        },
    ),
    PluginMetadata(name="rows", version="0.1.0", config_schema={"additionalProperties": False}),
]


def breaks(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(document)]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for key, inner in node.get("properties", {}).items():
            yield f"{path}.{key}", inner
        for key, inner in node.items():
            yield from properties(inner, f"{path}/{key}")


@pytest.mark.parametrize("schema", [pipeline_schema(), settings_schema(), plugin_schema()])
class TestEvery:
    def test_valid(self, schema: dict[str, Any]) -> None:
        """Each schema is itself valid, has an identity and a title, and is JSON."""
        Draft202012Validator.check_schema(schema)
        assert schema["$id"].startswith("urn:cdp-pipeline:schema:")
        assert schema["title"]
        assert schema == json.loads(json.dumps(schema))

    def test_described(self, schema: dict[str, Any]) -> None:
        """Every key says what it is."""
        assert [] == [path for path, inner in properties(schema) if not inner.get("description")]


class TestPipeline:
    def test_brief(self, brief: str) -> None:
        """An editor with the schema finds nothing wrong with the brief's example."""
        document = YAML(typ="safe", pure=True).load(brief)

        assert [] == breaks(document, pipeline_schema())

    def test_known_components(self) -> None:
        """Known components' configurations are checked by their own schemas, references too."""
        document = {"name": "n", "source": {"type": "galexie", "config": {"range": {}}}}
        document["pipeline"] = [{"type": "rows", "config": {"x": 1}}, {"type": "other"}]

        schema = pipeline_schema(COMPONENTS)

        Draft202012Validator.check_schema(schema)
        assert ["$.source.config.range", "$.pipeline[0]"] == breaks(document, schema)
        document["source"] = {"type": "galexie", "config": {"range": {"start": 1}}}
        document["pipeline"] = ["rows", {"type": "other", "config": {"x": 1}}]
        assert [] == breaks(document, schema)

    def test_names_complete(self) -> None:
        """Known names stand in the schema with their descriptions, by kind."""
        schema = pipeline_schema(COMPONENTS)
        names = schema["$defs"]["SourceConfig"]["properties"]["type"]["anyOf"]

        assert {"const": "galexie", "description": "Reads a lake."} == names[0]
        assert {"type": "string", "minLength": 1} == names[-1]

    def test_unchanged_without_components(self) -> None:
        """A schema with components leaves the plain one as it was."""
        before = pipeline_schema()
        pipeline_schema(COMPONENTS)

        assert before == pipeline_schema()
