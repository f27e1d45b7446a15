"""`flowctl test`: run the cases of pipelines and plugins, and say how what came out differs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.default_command import DefaultCommandGroup
from cdp_pipeline.cli.recording import record
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.errors import ExitCode
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.config import HostSettings
    from cdp_pipeline.testing.case_runs import CaseResult


_WHOLE = "the file as a whole"
"""What a file that cannot be tried is called among the results."""

app = typer.Typer(
    help="Run test cases through real plugins, or record some from a running pipeline.\n\n"
    "`flowctl test run PATH` may be written without `run`.",
    cls=DefaultCommandGroup,
    no_args_is_help=True,
    subcommand_metavar="PATH... | COMMAND [ARGS]...",
)
app.command("record")(record)


@app.command("run")
def run_tests(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files of cases, or folders that hold some.",
            metavar="PATH...",
            show_default=False,
        ),
    ],
    only: Annotated[
        str,
        typer.Option("--only", help="Run the cases whose name holds this.", metavar="TEXT"),
    ] = "",
    junit: Annotated[
        Path | None,
        typer.Option("--junit", help="Write the results as JUnit XML, too.", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run them again whenever a file beside them changes.")
    ] = False,
    no_skip: Annotated[
        bool,
        typer.Option(
            "--no-skip", help="A case is failed where a variable is missing that it requires."
        ),
    ] = False,
    logs: Annotated[bool, typer.Option("--logs", help="Show what plugins print.")] = False,
    output: Output = OutputFormat.TEXT,
    settings: SettingsFile = None,
) -> None:
    """Run test cases through real plugins. Exit code 1: a case failed.

    Example: `flowctl test examples/plugins/enrich-go`
    """
    from cdp_pipeline.cli.settings import host_settings
    from cdp_pipeline.observability.logs import configure_logs

    configure_logs(level="info" if logs else "error")
    host = host_settings(settings)
    choice = _Choice(paths, only, no_skip)
    if watch:
        asyncio.run(_watched(choice, host))
        return
    results, exit_code = asyncio.run(_results(choice, host, output))
    if junit is not None:
        from cdp_pipeline.testing.junit import write_junit

        write_junit(junit, results)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps([_as_json(result) for result in results], indent=2))
    if all(result.skipped for result in results):
        typer.echo("nothing was tried: every case was skipped", err=True)
    if any(result.has_failed for result in results):
        raise typer.Exit(exit_code)


@dataclass(frozen=True)
class _Choice:
    """Which cases are to be run, and whether all of them must be."""

    paths: Sequence[Path]
    only: str
    no_skip: bool


async def _results(
    choice: _Choice, settings: HostSettings, output: OutputFormat
) -> tuple[list[CaseResult], int]:
    """Run the cases; each is shown when it has ended.

    Returns:
        The results, and the exit code where one has failed: that of the error where a file
        cannot be tried at all.

    Raises:
        UsageError: None has such a name.
    """
    from cdp_pipeline.cli.report import as_host_error, print_error
    from cdp_pipeline.errors import CdpError, UsageError
    from cdp_pipeline.testing.case_runs import CaseResult, run_file
    from cdp_pipeline.testing.cases import find_cases
    from cdpplugin.errors import PluginError

    results: list[CaseResult] = []
    exit_code: int = ExitCode.FAILED
    for file in find_cases(choice.paths):
        if output is OutputFormat.TEXT:
            typer.echo(printable(str(file)))
        try:
            async for result in run_file(
                file, os.environ, settings, only=choice.only, skips_fail=choice.no_skip
            ):
                results.append(result)
                if output is OutputFormat.TEXT:
                    _show(result)
        except (CdpError, PluginError) as raised:
            error = as_host_error(raised)
            print_error(error)
            exit_code = max(exit_code, error.exit_code)
            results.append(CaseResult(file=str(file), name=_WHOLE, mismatches=[str(error)]))
    if not results:
        raise UsageError(
            f"no case has `{choice.only}` in its name",
            code="test.none_found",
            hint="`--only` takes a part of a name, upper and lower case as they are",
        )
    if output is OutputFormat.TEXT:
        typer.echo(_summary(results))
    return results, exit_code


def _show(result: CaseResult) -> None:
    mark = "skipped" if result.skipped else "FAILED " if result.has_failed else "ok     "
    typer.echo(f"  {mark} {printable(result.name)}")
    for text in (*result.mismatches, result.skipped):
        if text:
            typer.echo(f"          {printable(text, indent='          ')}")


def _summary(results: Sequence[CaseResult]) -> str:
    passed = sum(result.has_passed for result in results)
    failed = sum(result.has_failed for result in results)
    skipped = len(results) - passed - failed
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def _as_json(result: CaseResult) -> dict[str, object]:
    return asdict(result) | {
        "mismatches": list(result.mismatches),
        "passed": result.has_passed,
    }


async def _watched(choice: _Choice, settings: HostSettings) -> None:
    """Run the cases now and after each change, until the user has seen enough."""
    from watchfiles import awatch

    from cdp_pipeline.cli.report import error_text
    from cdp_pipeline.errors import CdpError
    from cdp_pipeline.testing.cases import find_cases

    folders = {path if path.is_dir() else path.parent for path in choice.paths}
    folders |= {file.parent for file in find_cases(choice.paths)}

    async def run() -> None:
        try:
            await _results(choice, settings, OutputFormat.TEXT)
        except CdpError as error:
            typer.echo(error_text(error), err=True)

    await run()
    async for _ in awatch(*folders, debounce=300):
        typer.echo("")
        await run()
