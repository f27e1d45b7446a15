"""Two stages never write to one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp_pipeline.config import parse_pipeline
from cdp_pipeline.host.validation import check

HEAD = "name: p\nsource: {type: jsonl, config: {path: in.jsonl}}\npipeline:\n"


def codes(folder: Path, *stages: str) -> list[str]:
    text = HEAD + "".join(f"  - {stage}\n" for stage in stages)
    return [fault.code for fault in check(parse_pipeline(text, folder / "p.yaml", {}), {}).faults]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{type: save-to-jsonl, config: {path: a.jsonl}}",) * 2,
        (
            "{type: save-to-jsonl, config: {path: a.jsonl}}",
            "{type: save-to-jsonl, config: {path: ./b/../a.jsonl}}",
        ),
        ("{type: save-to-parquet, config: {path: out}}",) * 2,
        (
            "{type: save-to-parquet, config: {path: out, tables: [a, b]}}",
            "{type: save-to-parquet, config: {path: out, tables: [b]}}",
        ),
        (
            "{type: save-to-parquet, config: {path: 's3://b/x'}}",
            "{type: save-to-parquet, config: {path: 's3://b/x/'}}",
        ),
    ],
)
def test_one_place_for_two_stages_is_refused(tmp_path: Path, first: str, second: str) -> None:
    """However the place is written, the second stage is told."""
    assert ["pipeline.output_shared"] == codes(tmp_path, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "{type: save-to-jsonl, config: {path: a.jsonl}}",
            "{type: save-to-jsonl, config: {path: b.jsonl}}",
        ),
        (
            "{type: save-to-parquet, config: {path: out}}",
            "{type: save-to-jsonl, config: {path: out}}",
        ),
        (
            "{type: save-to-parquet, config: {path: out, tables: [a]}}",
            "{type: save-to-parquet, config: {path: out, tables: [b]}}",
        ),
    ],
)
def test_places_that_differ_are_accepted(tmp_path: Path, first: str, second: str) -> None:
    """Other files, other consumers, or other tables of one folder."""
    assert [] == codes(tmp_path, first, second)
