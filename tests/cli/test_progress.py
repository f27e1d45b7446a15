"""How a run is shown while it runs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from cdp_pipeline.cli.components import setting_lines
from cdp_pipeline.cli.progress import Rates, display, lag
from cdp_pipeline.cli.summary import counted
from cdp_pipeline.engine.statistics import RunStatistics, StageStatistics


@dataclass
class Durable:
    """How far a run is durable, as the engine says it."""

    checkpoint_position: int


@dataclass
class Run:
    """What the display reads of a run."""

    statistics: RunStatistics
    pipeline: Durable


def run(checkpoint: int, **fields: Any) -> Any:
    return Run(RunStatistics(source="galexie", unit="ledgers", **fields), Durable(checkpoint))


@pytest.mark.parametrize(
    ("expected", "checkpoint", "fields"),
    [
        (0, -1, {}),
        (10, -1, {"first": 57_500_000, "position": 57_500_009}),
        (9, -1, {"first": 2, "resumed_from": 100, "position": 109}),
        (4, 105, {"first": 2, "resumed_from": 100, "position": 109}),
        (None, -1, {"position": 109}),
    ],
)
def test_lag_counts_what_is_read_and_not_durable(
    expected: int | None, checkpoint: int, fields: dict[str, Any]
) -> None:
    """Before the first checkpoint it counts from where the run began, where that is known."""
    assert expected == lag(run(checkpoint, **fields))


def test_the_totals_stand_in_one_line_above_the_stages() -> None:
    """The line of totals does not wrap at the width of a narrow table."""
    shown = run(8, position=12, last=20, stages=[StageStatistics("rows", rows_in=11)])
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(display("payments", shown, Rates()))
    first, *others = console.file.getvalue().splitlines()

    assert first.startswith("payments  ledgers 12 of 20  |  ")
    assert "lag 4" in first
    assert any(line.split()[:2] == ["rows", "11"] for line in others)


def test_one_is_not_many() -> None:
    """`1 ledger`, `0 ledgers`, `1,000 ledgers`."""
    assert ["1 ledger", "0 ledgers", "1,000 ledgers"] == [
        counted(number, "ledgers") for number in (1, 0, 1000)
    ]


def test_explain_says_nothing_of_a_default_that_is_none() -> None:
    """A key without a default has no `[default null]`."""
    schema = {
        "properties": {
            "path": {"type": "string"},
            "start": {"type": "integer", "default": None},
            "rows": {"type": "integer", "default": 5},
        },
        "required": ["path"],
    }

    assert [
        "  path: string  [required]",
        "  start: integer",
        "  rows: integer  [default 5]",
    ] == list(setting_lines(schema))
