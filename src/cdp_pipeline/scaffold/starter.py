"""A new pipeline from a few answers: what to read, which rows, where to put them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipeline.connectors.stellar.rows.schemas import TABLES
from cdp_pipeline.errors import UsageError
from cdp_pipeline.scaffold.ancestor import PUBLIC_LAKES
from cdp_pipeline.scaffold.pipeline_text import PipelineText, Step
from cdp_pipeline.scaffold.values import pipeline_name

SCHEMA_FILE: Final = "pipeline.schema.json"
PIPELINE_FILE: Final = "pipeline.yaml"
ALL_ROWS: Final = "all"
DEFAULT_START: Final = "1h"
"""Where a public lake is read from: its whole history takes days."""

DESTINATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "parquet": {"type": "save-to-parquet", "path": "out/{name}"},
    "duckdb": {"type": "save-to-duckdb", "path": "out/{name}.duckdb"},
    "postgresql": {
        "type": "save-to-postgresql",
        "dsn": "${{DATABASE_URL:-postgresql://localhost/{name}}}",
    },
    "jsonl": {"type": "save-to-jsonl", "path": "out/{name}"},
    "stdout": {"type": "stdout"},
}
"""The consumer of each destination, and the key that says where."""

_HINTS: Final = {
    "source": "`pubnet` or `testnet` (public lakes), a lake's folder or address, or a *.jsonl file",
    "rows": f"`{ALL_ROWS}`, or some of {', '.join(TABLES)}",
    "to": f"one of {', '.join(DESTINATIONS)}",
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user wants.

    Attributes:
        source: `pubnet`, `testnet`, a lake's folder or address, or a file of JSON lines.
        rows: Tables of `rows`, separated by commas, or `all`; unused for JSON lines.
        to: One of `DESTINATIONS`.
        name: The pipeline's name.
        start: First ledger, time or age; empty for the beginning, an hour ago for public lakes.
    """

    source: str
    rows: str = ALL_ROWS
    to: str = "parquet"
    name: str = "pipeline"
    start: str = ""


def is_json_lines(source: str) -> bool:
    """Tell whether *source* is a file of JSON lines, which has no ledgers to make rows of."""
    return source.endswith((".jsonl", ".ndjson")) or source == "-"


def tables_of(rows: str) -> list[str]:
    """Return the tables that *rows* names; none for all.

    Raises:
        UsageError: One of them is no table.
    """
    chosen = [word.strip().replace("-", "_") for word in rows.split(",") if word.strip()]
    if not chosen:
        raise _refused("rows", rows)
    for table in chosen:
        if table not in (*TABLES, ALL_ROWS):
            raise _refused("rows", table)
    return [] if ALL_ROWS in chosen else chosen


def starter(answers: Answers, next_command: str) -> PipelineText:
    """Return the pipeline that *answers* describe.

    Raises:
        UsageError: An answer is none of those that are known.
    """
    name = pipeline_name(answers.name)
    stages = [] if is_json_lines(answers.source) else [_rows(answers.rows)]
    network = answers.source if answers.source in PUBLIC_LAKES else ""
    stages.append(_destination(answers.to, name))
    comments = [f"yaml-language-server: $schema={SCHEMA_FILE}", "", next_command, ""]
    return PipelineText(name, _source(answers), stages, network, comments)


def _source(answers: Answers) -> Step:
    if not answers.source.strip():
        raise _refused("source", answers.source)
    if is_json_lines(answers.source):
        if answers.start:
            raise UsageError("JSON lines are read from the first", hint="leave `--start` out")
        return Step("jsonl", {"path": answers.source})
    public = PUBLIC_LAKES.get(answers.source)
    config: dict[str, Any] = dict(public or {"path": answers.source})
    if public:
        config["anonymous"] = True
    start = answers.start or (DEFAULT_START if public else "")
    if start:
        config["start"] = int(start) if start.isdecimal() else start
    return Step("galexie", config)


def _rows(rows: str) -> Step:
    tables = tables_of(rows)
    return Step("rows", {"tables": tables} if tables else {})


def _destination(to: str, name: str) -> Step:
    chosen = DESTINATIONS.get(to)
    if chosen is None:
        raise _refused("to", to)
    config = {key: text.format(name=name) for key, text in chosen.items() if key != "type"}
    return Step(chosen["type"], dict(config))


def _refused(answer: str, got: str) -> UsageError:
    return UsageError(f"--{answer}: got `{got}`", hint=f"give {_HINTS[answer]}")


def default_name(folder: Sequence[str]) -> str:
    """Return a name for a pipeline in the folder whose path has these parts."""
    return pipeline_name(folder[-1]) if folder else "pipeline"
