"""docs/guides/errors-and-retries.md: its plugin, its letters and its way back are true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests._flowctl import flowctl
from tests.docs._pages import blocks

PLUGIN, _, LETTER, TAKE_OUT, AGAIN, _ = blocks("guides/errors-and-retries.md")
PIPELINE = """
name: docs-errors
source: {type: jsonl, config: {path: in.jsonl, type: Payment}}
plugins: [{name: enrich, path: ./enrich.py}]
dead_letter: {path: dead-letters.jsonl}
pipeline:
  - {plugin: enrich, on_error: POLICY}
  - {type: save-to-jsonl, config: {path: out.jsonl}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "enrich.py").write_text(PLUGIN.text)
    return tmp_path


def run(folder: Path, statuses: list[int], policy: str) -> int:
    lines = "".join(json.dumps({"status": status}) + "\n" for status in statuses)
    (folder / "in.jsonl").write_text(lines)
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("POLICY", policy))
    return flowctl("run", "pipeline.yaml", cwd=folder).code


def payloads(file: Path) -> list[object]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_instruction_does_what_is_said(folder: Path) -> None:
    """What is dropped is gone, what is unknown is a letter as shown, the rest passes: exit 0."""
    assert 0 == run(folder, [200, 404, 418], "dead_letter")
    assert [{"status": 200}] == payloads(folder / "out.jsonl")
    [line] = (folder / "dead-letters.jsonl").read_text().splitlines()
    letter, shown = json.loads(line), json.loads(LETTER.text)
    assert shown.keys() == letter.keys()
    assert (shown["error"], shown["plugin"]) == (letter["error"], letter["plugin"])


def test_letters_can_be_tried_again(folder: Path) -> None:
    """The pipeline that reads the letters gives the mended plugin what had failed."""
    assert 0 == run(folder, [200, 418], "dead_letter")
    (folder / "enrich.py").write_text(PLUGIN.text.replace("200:", '418: "teapot", 200:'))
    (folder / "again.yaml").write_text(AGAIN.text)
    script = TAKE_OUT.text.replace("python ", f"{sys.executable} ")
    subprocess.run(["/bin/sh", "-euc", script], cwd=folder, check=True)
    done = flowctl("run", "again.yaml", cwd=folder)

    assert 0 == done.code, done.err
    assert [{"status": 418}] == payloads(folder / "mended.jsonl")


@pytest.mark.parametrize(
    ("status", "policy", "code"),
    [
        (401, "dead_letter", 4),
        (418, "fail", 4),
        (418, "drop", 0),
        (503, "{action: drop, attempts: 1}", 4),
        (503, "{action: fail, attempts: 1, then: drop}", 0),
    ],
)
def test_what_stops_the_run(folder: Path, status: int, policy: str, code: int) -> None:
    """No policy overrides `Fatal`; `fail` stops; of a `Retry` used up, `then` decides."""
    assert code == run(folder, [200, status], policy)
