"""Where relative paths point: into the file's folder, or where they were typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config import load_pipeline
from cdp_pipeline.host.validation import check

PIPELINE = """\
name: paths
source: {type: jsonl, config: {path: "${IN:-in.jsonl}"}}
pipeline:
  - {type: save-to-jsonl, config: {path: "${OUT:-out}/rows"}}
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    file = tmp_path / "there" / "pipeline.yaml"
    file.write_text(PIPELINE)
    return file


def paths(file: Path, environ: dict[str, str]) -> list[str]:
    report = check(load_pipeline(file, environ), environ)
    assert report.source is not None
    return [component.config["path"] for component in (report.source, *report.stages)]


def test_what_the_file_says_resolves_against_the_file(pipeline: Path) -> None:
    """A default written in the file is a path from the file's folder."""
    folder = pipeline.parent

    assert [str(folder / "in.jsonl"), str(folder / "out" / "rows")] == paths(pipeline, {})


def test_what_was_typed_resolves_against_the_current_folder(pipeline: Path) -> None:
    """A relative path that a variable held is a path from where the user stands."""
    here = pipeline.parent.parent / "here"

    assert [str(here / "mine.jsonl"), str(here / "mine" / "rows")] == paths(
        pipeline, {"IN": "mine.jsonl", "OUT": "mine"}
    )
