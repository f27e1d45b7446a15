"""What a built-in component refuses is known before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config import ConfigErrors, faults_of, load_pipeline, parse_pipeline
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.host.trial import configuration_faults
from cdp_pipeline.host.unfinished import with_component_faults
from cdp_pipeline.host.validation import check


@pytest.mark.parametrize(
    ("source", "stage", "words"),
    [
        ("{type: jsonl, config: {path: x}}", "{type: filter, config: {where: 'a ='}}", "where"),
        ("{type: stdin}", "stdout", "network"),
    ],
)
async def test_finds_what_no_schema_describes(
    tmp_path: Path, source: str, stage: str, words: str
) -> None:
    """Syntax of expressions, and a network that nobody names, stand at their stage."""
    text = f"name: p\nsource: {source}\npipeline:\n  - {stage}\n"
    config = parse_pipeline(text, tmp_path / "p.yaml", {})
    [fault] = await configuration_faults(check(config, {}), config)

    assert words in fault.message
    assert str(tmp_path / "p.yaml") in fault.where


async def test_a_network_of_the_pipeline_is_enough(tmp_path: Path) -> None:
    """`stdin` takes the pipeline's network."""
    text = "name: p\nnetwork: pubnet\nsource: {type: stdin}\npipeline: [stdout]\n"
    config = parse_pipeline(text, tmp_path / "p.yaml", {})

    assert [] == await configuration_faults(check(config, {}), config)


def test_a_structural_fault_hides_no_other(tmp_path: Path) -> None:
    """A misspelt key, an unknown type and an unknown setting are told together, in file order."""
    file = tmp_path / "p.yaml"
    file.write_text(
        "name: p\npluginns: []\nsource: {type: jsonl, config: {path: x, folow: true}}\n"
        "pipeline: [stdot, {type: rows, config: {tabels: []}}, stdout]\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_pipeline(file, {})
    whole = with_component_faults(raised.value, file, {})

    assert isinstance(whole, ConfigErrors)
    assert [
        "config.unknown_key",
        "config.unknown_key",
        "component.unknown_type",
        "config.unknown_key",
    ] == [fault.code for fault in faults_of(whole)]
