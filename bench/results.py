"""Results on disk: a JSON file a case with every sample, and one table for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.case import Case, Goal, Measurement, Scale, Series
from bench.machine import machine_facts, versions

FOLDER = Path(__file__).with_name("results")
_TOP = """\
# Results

Written by `python -m bench`; every sample is in the JSON file of its case, with the machine and
the versions. Numbers are medians, counted at the sink. *A/A* is the same variant against itself
in the same rounds: what chance alone does on that machine.

| case | what | goal | measured | reached | A/A |
|---|---|---|---|---|---|
"""


def document(case: Case, found: Measurement, scale: Scale, elapsed_s: float) -> dict[str, Any]:
    """Return everything that is known of a measurement, as JSON values."""
    return {
        "case": case.name,
        "summary": case.summary,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale,
        "elapsed_s": round(elapsed_s, 1),
        "machine": machine_facts(),
        "versions": versions(),
        "facts": dict(found.facts),
        "goals": [asdict(goal) | {"reached": goal.reached} for goal in found.goals],
        "series": _series(found.series),
        "ratios": _series(found.ratios),
        "controls": _series(found.controls),
    }


def _series(all_series: Mapping[str, Series]) -> dict[str, Any]:
    return {
        name: {
            "unit": series.unit,
            "median": _rounded(series.median),
            "least": _rounded(min(series.samples)),
            "most": _rounded(max(series.samples)),
            "samples": [_rounded(sample) for sample in series.samples],
        }
        for name, series in all_series.items()
    }


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def write(folder: Path, found: Mapping[str, Any]) -> Path:
    """Write one case's document; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['case']}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def write_table(folder: Path, names: Iterable[str]) -> Path:
    """Write the table of all cases whose results lie in *folder*; return where."""
    rows: list[str] = []
    details: list[str] = []
    for name in names:
        path = folder / f"{name}.json"
        if not path.is_file():
            rows.append(f"| {name} | not measured | | | | |")
            continue
        found = json.loads(path.read_text())
        rows += _goal_rows(found)
        details += _detail(found)
    table = folder / "README.md"
    table.write_text(_TOP + "\n".join([*rows, "", *details]))
    return table


def _goal_rows(found: Mapping[str, Any]) -> list[str]:
    name = f"[{found['case']}]({found['case']}.json)"
    if not found["goals"]:
        return [f"| {name} | no goal of its own, see below | | | | |"]
    rows = []
    for goal in found["goals"]:
        control = found["controls"].get(goal["control"])
        chance = f"{control['least']:.3g} to {control['most']:.3g}" if control else ""
        rows.append(
            f"| {name} | {goal['what']} | {goal['bound']} {shown(goal['goal'], goal['unit'])} "
            f"| {shown(goal['measured'], goal['unit'])} | {'yes' if goal['reached'] else '**no**'} "
            f"| {chance} |"
        )
    return rows


def _detail(found: Mapping[str, Any]) -> list[str]:
    machine, used = found["machine"], found["versions"]
    lines = [
        f"## {found['case']}",
        "",
        found["summary"],
        "",
        f"{found['measured_at']}, scale {found['scale']}, Python {used['python']}, "
        f"{machine['cores']} x {machine['processor']}, load {machine['load_1m']}",
        "",
        *(f"- {name}: {_words(value)}" for name, value in found["facts"].items()),
        "",
        "| variant | median | least to most | samples |",
        "|---|---|---|---|",
    ]
    groups = (("", "series"), ("", "ratios"), ("A/A: ", "controls"))
    for prefix, group in groups:
        for name, series in found[group].items():
            unit = series["unit"]
            lines.append(
                f"| {prefix}{name} | {shown(series['median'], unit)} "
                f"| {shown(series['least'])} to {shown(series['most'])} "
                f"| {len(series['samples'])} |"
            )
    return [*lines, ""]


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def shown(number: float, unit: str = "") -> str:
    """Return *number* with three figures, and its unit."""
    text = f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    return f"{text} {unit}".strip()


def goal_line(goal: Goal) -> str:
    """Return a goal and what came of it in one line."""
    verdict = "reached" if goal.reached else "NOT reached"
    return (
        f"{goal.what}: {shown(goal.measured, goal.unit)}, "
        f"goal {goal.bound} {shown(goal.goal, goal.unit)}: {verdict}"
    )
