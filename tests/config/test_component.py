from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cdp_pipeline.config import (
    PipelineConfig,
    SchemaInvalid,
    check_component,
    faults_of,
    resolve_paths,
)
from cdp_pipeline.connectors.settings import DurationS, Settings, SizeBytes
from cdp_pipeline.errors import ConfigError

Load = Callable[..., PipelineConfig]
SOURCE = (("source", "config"),)


class Rotation(Settings):
    rows: int = 10
    bytes: SizeBytes = 5


class Lake(Settings):
    path: str
    start: int | None = None
    flush: DurationS = 1.0
    mode: str = "bounded"
    rotation: Rotation = Rotation()
    tables: tuple[str, ...] = ()


SCHEMA = Lake.model_json_schema()


def pipeline_with(load: Load, config: str, **environ: str) -> PipelineConfig:
    return load(f"name: n\nsource:\n  type: s\n  config: {config}\npipeline: [t]", **environ)


def check(load: Load, config: str, schema: Mapping[str, Any] = SCHEMA, **environ: str) -> Any:
    return check_component(pipeline_with(load, config, **environ).document, SOURCE, schema)


def faults(load: Load, config: str, schema: Mapping[str, Any] = SCHEMA) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        check(load, config, schema)
    return faults_of(caught.value)


class TestCheck:
    def test_durations_and_sizes(self, load: Load) -> None:
        """Durations and sizes are numbers or text; the component reads them."""
        config = {"path": "x", "flush": "30s", "rotation": {"bytes": "100MB"}}

        assert config == check(load, "{path: x, flush: 30s, rotation: {bytes: 100MB}}")

    def test_no_configuration(self, load: Load) -> None:
        """A component without configuration is checked as one with an empty one."""
        pipeline = load("name: n\nsource:\n  type: s\npipeline: [t]")

        with pytest.raises(ConfigError) as caught:
            check_component(pipeline.document, SOURCE, SCHEMA)

        assert "/data/p.yaml:2:1: missing key `source.config.path`, expected text" == str(
            caught.value
        )

    @pytest.mark.parametrize(
        ("config", "error", "hint"),
        [
            (
                "{pth: x, path: x}",
                "/data/p.yaml:4:12: unknown key `source.config.pth`",
                "did you mean `path`?",
            ),
            (
                "{path: x, rotation: {row: 3}}",
                "/data/p.yaml:4:32: unknown key `source.config.rotation.row`",
                "did you mean `rows`?",
            ),
            (
                "{}",
                "/data/p.yaml:4:3: missing key `source.config.path`, expected text",
                "add `path:`",
            ),
            (
                "{path: 5}",
                "/data/p.yaml:4:18: `source.config.path`: expected text, got the number `5`",
                "put it in quotes",
            ),
            (
                "{path: x, start: soon}",
                "/data/p.yaml:4:28: `source.config.start`: expected an integer, got text `soon`",
                "",
            ),
            (
                "{path: x, flush: [1]}",
                "/data/p.yaml:4:28: `source.config.flush`: expected a number of at least 0 or "
                "text such as `30s` or `5m`, got a list",
                "",
            ),
            (
                "{path: x, tables: ledgers}",
                "/data/p.yaml:4:29: `source.config.tables`: expected a list, got text `ledgers`",
                "",
            ),
        ],
    )
    def test_golden(self, load: Load, config: str, error: str, hint: str) -> None:
        """A wrong key or value is named with place, expectation, what came, and a way out."""
        assert [(error, hint)] == [(str(one), one.hint) for one in faults(load, config)]

    def test_variable_of_digits(self, load: Load) -> None:
        """A variable is read the way the component's schema needs it."""
        config = "{path: '${P}', start: '${S}'}"

        assert {"path": "2024", "start": 7} == check(load, config, P="2024", S="7")

    def test_plugin_and_stage(self, load: Load) -> None:
        """A stage's keys are laid over its plugin's; each is blamed where it stands."""
        pipeline = load(
            "name: n\nsource: {type: s}\n"
            "plugins:\n- name: p\n  config:\n    path: x\n    start: a\n    mode: m\n"
            "pipeline:\n- plugin: p\n  config:\n    mode: 3\n"
        )
        paths = pipeline.config_paths(pipeline.stages[0])

        with pytest.raises(ConfigError) as caught:
            check_component(pipeline.document, paths, SCHEMA)

        assert ["/data/p.yaml:7:12", "/data/p.yaml:12:11"] == [
            fault.where for fault in faults_of(caught.value)
        ]


class TestAlternatives:
    SCHEMA: ClassVar[dict[str, Any]] = {
        "properties": {
            "sink": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "file"}, "path": {"type": "string"}},
                        "required": ["kind", "path"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "db"}, "dsn": {"type": "string"}},
                        "required": ["kind", "dsn"],
                        "additionalProperties": False,
                    },
                ]
            }
        }
    }

    def test_meant_one(self, load: Load) -> None:
        """Of alternatives told apart by a constant, only the one that was meant is blamed."""
        (fault,) = faults(load, "{sink: {kind: db}}", self.SCHEMA)

        assert "missing key `source.config.sink.dsn`, expected text" == fault.message

    def test_none_meant(self, load: Load) -> None:
        """Where no alternative was meant, all are named."""
        (fault,) = faults(load, "{sink: 3}", self.SCHEMA)

        assert "`source.config.sink`: expected a mapping, got the number `3`" == fault.message


class TestSchemas:
    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "no-such-type"},
            {"properties": {"path": {"pattern": "("}}},
            {"$ref": "https://schemas.example.org/x.json"},
            {"$ref": "#/$defs/missing"},
        ],
    )
    def test_unusable(self, load: Load, schema: dict[str, Any]) -> None:
        """A wrong schema, or one that points elsewhere, is refused; nothing is fetched."""
        with pytest.raises(SchemaInvalid):
            check(load, "{path: x}", schema)

    def test_empty(self, load: Load) -> None:
        """A component without a schema takes everything."""
        assert {"anything": [1]} == check(load, "{anything: [1]}", {})


class TestPaths:
    def test_marked_by_schema(self) -> None:
        """Texts that a schema marks as paths resolve; addresses, `-` and others stay."""
        schema = {
            "properties": {
                "path": {"type": "string", "format": "path"},
                "paths": {"type": "array", "items": {"type": "string", "format": "path"}},
                "name": {"type": "string"},
            }
        }
        config = {"path": "a/../b", "paths": ["s3://bucket/x", "~/y", "-", "/z"], "name": "n"}

        assert {
            "path": "/data/b",
            "paths": ["s3://bucket/x", "/home/ann/y", "-", "/z"],
            "name": "n",
        } == resolve_paths(config, schema, lambda _: Path("/data"), {"HOME": "/home/ann"})
        assert "a/../b" == config["path"]
