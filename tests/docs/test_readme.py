"""The README and the examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cdp_pipeline.config import parse_pipeline
from cdp_pipeline.host.validation import check
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
FLOWCTL = str(Path(sys.executable).parent / "flowctl")
EXAMPLES = sorted((ROOT / "examples/pipelines").glob("*.yaml"))
ENVIRONMENT = {
    "CDP_LAKE": "lake",
    "START": "2",
    "END": "21",
    "OUT": "out",
    "DATABASE_URL": "postgresql://x",
}


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in *language*."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    command = [FLOWCTL, "lake", "generate", "--ledgers", "20", "--out", "lake"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "lake"


def test_the_first_pipeline_runs_with_the_first_plugin(tmp_path: Path, lake: Path) -> None:
    """The pipeline and the plugin above the fold run as printed, but for the lake's address."""
    text = blocks("yaml")[0]
    text = re.sub(r"path: s3://\S+, region: \S+, start: 3d", f"path: {lake}, end: latest", text)
    (tmp_path / "pipeline.yaml").write_text(text)
    (tmp_path / "large_payments.py").write_text(blocks("python")[0])
    run = subprocess.run(
        [FLOWCTL, "run", "pipeline.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert 0 == run.returncode, run.stderr
    assert "completed" in run.stderr
    assert "large-payments" in run.stderr


def test_every_yaml_block_is_part_of_a_valid_pipeline() -> None:
    """Blocks without a source are stages of one; each validates."""
    for block in blocks("yaml"):
        text = block
        if "source:" not in text:
            text = "name: part\nsource: {type: galexie, config: {path: lake}}\n" + text
        if "plugins:" in text:
            continue
        config = parse_pipeline(text, "README.md", {"DATABASE_URL": "postgresql://x"})

        assert [] == check(config, {}).faults


def test_every_link_leads_somewhere() -> None:
    """Relative links name files that exist."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(example: Path) -> None:
    """`flowctl validate` accepts every example."""
    run = subprocess.run(
        [FLOWCTL, "validate", str(example)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ENVIRONMENT,
    )

    assert 0 == run.returncode, run.stderr


@pytest.mark.parametrize("name", ["quickstart.yaml", "large-payments.yaml", "dedupe.yaml"])
def test_examples_on_a_generated_lake_complete(name: str, tmp_path: Path, lake: Path) -> None:
    """Examples that need nothing but a lake run to the end."""
    run = subprocess.run(
        [FLOWCTL, "run", str(ROOT / "examples/pipelines" / name)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CDP_LAKE": str(lake), "OUT": str(tmp_path / "out")},
    )

    assert 0 == run.returncode, run.stderr
    assert "completed, durable through 21" in run.stderr
