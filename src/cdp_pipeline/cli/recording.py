"""`flowctl test record`: a file of cases from what a stage of a running pipeline answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.running import host, print_json
from cdp_pipeline.errors import ExitCode, StateError
from cdp_pipeline.observability.text import printable

_ANSWER_S = 10.0
"""How much longer the host may take than it was told to wait, in seconds."""


def record(
    stage: Annotated[
        str,
        typer.Argument(
            help="The stage: a processor or a consumer.", metavar="STAGE", show_default=False
        ),
    ],
    pipeline: Annotated[
        str | None,
        typer.Argument(
            help="The pipeline's name; without it the only one that runs.",
            metavar="PIPELINE",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="How many messages.", min=1, max=1000)] = 10,
    timeout_s: Annotated[
        float, typer.Option(help="How long to wait for them, in seconds.", min=0, max=600)
    ] = 60.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The file; by default `test-STAGE.yaml` here.", show_default=False
        ),
    ] = None,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            help="A member whose values are not written, such as `payload.account`; may be "
            "given several times.",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Record the next messages of a running stage, and what comes of them, as test cases.

    The file has the stage as it runs, secret values as variables. Exit code 1: no message came.

    Example: `flowctl test record enrich --count 20`
    """
    from cdp_pipeline.admin.client import plugin_path
    from cdp_pipeline.testing.case_text import cases_text, cautions

    file = out or Path(f"test-{re.sub(r'[^A-Za-z0-9._-]+', '-', stage)}.yaml")
    if file.exists() and not force:
        raise StateError(
            f"`{file}` exists",
            code="record.file_exists",
            hint="choose another file by `--out`, or overwrite it by `--force`",
        )
    with host(pipeline) as client:
        found = client.get(
            plugin_path(stage, "/record"),
            timeout_s=timeout_s + _ANSWER_S,
            count=count,
            wait_s=timeout_s,
        )
        name = client.endpoint.pipeline
    if not found["cases"]:
        typer.echo(_nothing(found, timeout_s), err=True)
        raise typer.Exit(ExitCode.FAILED)
    _write(file, cases_text(found, name, file, redact or ()))
    notes = [printable(caution) for caution in cautions(found)]
    if output is OutputFormat.JSON:
        recorded = len(found["cases"])
        print_json({"file": str(file), "stage": stage, "messages": recorded, "notes": notes})
        return
    typer.echo(printable(_written(found, count, file)))
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"`{file}` cannot be written: {error.strerror}",
            code="record.unwritable",
            hint="choose another file by `--out`",
        ) from error


def _nothing(found: Mapping[str, Any], timeout_s: float) -> str:
    left_out = f", and {found['left_out']} that are no JSON" if found["left_out"] else ""
    return printable(
        f"no message came to `{found['stage']}` within {timeout_s:g} s{left_out}; "
        "nothing is written"
    )


def _written(found: Mapping[str, Any], count: int, file: Path) -> str:
    got = len(found["cases"])
    of = "" if got == count else f" of {count}"
    return f"{got}{of} messages of `{found['stage']}` written to {file}; `flowctl test {file}`"
