"""`flowctl config`: pipeline files of the Go ancestor as pipeline files of this version."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat

if TYPE_CHECKING:
    from cdp_pipeline.scaffold.conversion import Conversion

app = typer.Typer(help="Convert pipeline files of the Go ancestor.", no_args_is_help=True)
_STDOUT = Path("-")


@app.callback()
def _config() -> None:
    """Convert pipeline files of the Go ancestor."""


@app.command()
def upgrade(
    file: Annotated[Path, typer.Argument(help="The old file.", metavar="FILE", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="File, folder, or `-` for stdout; by default a file named after the pipeline.",
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        str,
        typer.Option("--pipeline", help="Convert only the pipeline of this name.", metavar="NAME"),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Convert a file of cdp-pipeline-workflow (Go), legacy or v2: a file for each pipeline.

    What has no counterpart is named with its place and marked NO COUNTERPART in the new file.
    Exit code 1: there was such a thing; what could be converted is written all the same.

    Example: `flowctl config upgrade legacy.yaml --out pipelines/`
    """
    from cdp_pipeline.cli.report import error_text
    from cdp_pipeline.scaffold import upgrade as upgrading

    conversions = upgrading.upgrade(file, pipeline)
    if out == _STDOUT:
        results = _on_stdout(conversions, output)
    else:
        files = upgrading.places(conversions, out)
        texts = [(new, str(each.text)) for new, each in zip(files, conversions, strict=True)]
        upgrading.write_new(texts, force=force, like=file)
        results = [_result(each, new) for each, new in zip(conversions, files, strict=True)]
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(results, indent=2))
    else:
        for conversion, result in zip(conversions, results, strict=True):
            for fault in conversion.findings.faults:
                typer.echo(error_text(fault), err=True)
            _tell(result)
    faults = [fault for conversion in conversions for fault in conversion.findings.faults]
    if faults:
        raise typer.Exit(faults[0].exit_code)


def _on_stdout(conversions: list[Conversion], output: OutputFormat) -> list[dict[str, Any]]:
    from cdp_pipeline.errors import UsageError

    if len(conversions) > 1:
        raise UsageError(
            f"there are {len(conversions)} pipelines, and stdout takes one",
            hint="choose one with `--pipeline NAME`, or give `--out FOLDER`",
        )
    if output is OutputFormat.TEXT:
        for each in conversions:
            typer.echo(str(each.text), nl=False)
    return [_described(each) | {"text": str(each.text)} for each in conversions]


def _described(conversion: Conversion) -> dict[str, Any]:
    return {"pipeline": conversion.old_name, "name": conversion.name} | (
        conversion.findings.as_json()
    )


def _result(conversion: Conversion, file: Path) -> dict[str, Any]:
    """Return what became of a pipeline, and whether the new file is valid."""
    from cdp_pipeline.host.file_check import check_file

    faults = check_file(file, os.environ).faults
    return _described(conversion) | {
        "file": str(file),
        "valid": not faults,
        "faults": [
            {"code": f.code, "message": f.message, "where": f.where, "hint": f.hint} for f in faults
        ],
    }


def _tell(result: dict[str, Any]) -> None:
    """Say on stderr what was converted, left out, written and is still to do."""
    for each in result["converted"]:
        became = " + ".join(each["became"]) or "nothing: it is not needed"
        typer.echo(f"{each['type']} -> {became}", err=True)
        for note in each["notes"]:
            typer.echo(f"  note: {note}", err=True)
    if "file" not in result:
        return
    lacks = ", without what is named above" if result["not_convertible"] else ""
    state = "valid" if result["valid"] else "not valid yet"
    typer.echo(f"{result['file']} is written and {state}{lacks}", err=True)
    for fault in result["faults"]:
        typer.echo(f"  still to do at {fault['where']}: {fault['message']}", err=True)
