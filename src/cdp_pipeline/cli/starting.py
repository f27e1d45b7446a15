"""`flowctl init`: ask a few questions and write a pipeline that validates."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.running import print_json

if TYPE_CHECKING:
    from cdp_pipeline.scaffold.starter import Answers

_SOURCE = "Read from: pubnet, testnet, a lake's folder or address, or a *.jsonl file"
_ROWS = "Rows: all, or some of ledgers, transactions, operations, token_transfers, contract_events"
_TO = "Write to: parquet, duckdb, postgresql, jsonl or stdout"


def init(
    folder: Annotated[
        Path, typer.Argument(help="Where to write the pipeline.", metavar="FOLDER")
    ] = Path(),
    source: Annotated[str, typer.Option("--source", help=f"{_SOURCE}.", metavar="PLACE")] = "",
    rows: Annotated[str, typer.Option("--rows", help=f"{_ROWS}.", metavar="TABLES")] = "",
    to: Annotated[str, typer.Option("--to", help=f"{_TO}.", metavar="KIND")] = "",
    start: Annotated[
        str,
        typer.Option(
            "--start",
            help="First ledger, a time or an age; by default the lake's first, or `1h`.",
            metavar="START",
        ),
    ] = "",
    name: Annotated[
        str, typer.Option("--name", help="Name; by default the folder's.", metavar="NAME")
    ] = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask: take the defaults for the rest.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Write a first pipeline: asks what to read, which rows, and where to put them.

    Every question is an option, too. The pipeline is checked, and the next command told.

    Example: `flowctl init demo --source pubnet --rows operations --to duckdb --yes`
    """
    from cdp_pipeline.scaffold.starter import PIPELINE_FILE, SCHEMA_FILE, Answers, starter
    from cdp_pipeline.scaffold.upgrade import write_new

    given = Answers(source=source, rows=rows, to=to, name=name, start=start)
    answers = _completed(given, folder, yes)
    file = folder / PIPELINE_FILE
    command = f"flowctl run {file}"
    answers = replace(answers, source=_seen_from(folder, answers.source))
    text = str(starter(answers, command))
    write_new([(file, text), (folder / SCHEMA_FILE, _schema())], force=force)
    _check(file)
    if output is OutputFormat.JSON:
        print_json({"file": str(file), "schema": str(folder / SCHEMA_FILE), "next": command})
        return
    typer.echo(f"{file} is valid\nnext: {command}")


def _completed(given: Answers, folder: Path, yes: bool) -> Answers:
    """Return the answers, asking for those that are missing."""
    from cdp_pipeline.errors import UsageError
    from cdp_pipeline.scaffold.starter import ALL_ROWS, Answers, default_name, is_json_lines

    has_all = given.source and given.to and (given.rows or is_json_lines(given.source))
    if not has_all and not yes and not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask questions on",
            hint="give `--source`, `--rows` and `--to`, or `--yes` for the defaults",
        )

    def ask(answer: str, question: str, default: str) -> str:
        return answer or (default if yes else str(typer.prompt(question, default=default)))

    source = ask(given.source, _SOURCE, "pubnet")
    rows = given.rows
    if is_json_lines(source):
        if rows:
            raise UsageError(
                "JSON lines have no ledgers to make rows of", hint="leave out `--rows`"
            )
    else:
        rows = ask(rows, _ROWS, ALL_ROWS)
    to = ask(given.to, _TO, "parquet")
    name = given.name or default_name(folder.absolute().parts[1:])
    if not has_all and not yes:
        name = str(typer.prompt("Name", default=name)) if not given.name else name
    return Answers(source, rows, to, name, given.start)


def _seen_from(folder: Path, source: str) -> str:
    """Return *source*, if a path that was typed here, as it is written in a file in *folder*."""
    from cdp_pipeline.scaffold.ancestor import PUBLIC_LAKES
    from cdp_pipeline.scaffold.values import is_relative

    if source in ("", "-", *PUBLIC_LAKES) or not is_relative(source):
        return source
    return os.path.relpath(source, folder)


def _schema() -> str:
    from cdp_pipeline.config import pipeline_schema
    from cdp_pipeline.host.catalog import Catalog

    catalog = Catalog()
    schema = pipeline_schema(catalog.metadata(name) for name in catalog.types)
    return json.dumps(schema, indent=2) + "\n"


def _check(file: Path) -> None:
    """Validate what was written.

    Raises:
        ConfigError: It is not valid: an answer cannot be what it is taken for.
    """
    from cdp_pipeline.host.file_check import check_file

    faults = check_file(file, os.environ).faults
    if faults:
        raise faults[0]
