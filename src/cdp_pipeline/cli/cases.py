"""`flowctl test`: run the cases of pipelines and plugins, and say how what came out differs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cdp_pipeline.cli.arguments import Output, OutputFormat
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.errors import ExitCode
from cdp_pipeline.observability.text import printable

if TYPE_CHECKING:
    from cdp_pipeline.config import HostSettings
    from cdp_pipeline.testing.cases import CaseResult


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
    if watch:
        asyncio.run(_watched(paths, only, host))
        return
    results = asyncio.run(_results(paths, only, host, output))
    if junit is not None:
        from cdp_pipeline.testing.junit import write_junit

        write_junit(junit, results)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps([_as_json(result) for result in results], indent=2))
    if any(not result.has_passed for result in results):
        raise typer.Exit(ExitCode.FAILED)


async def _results(
    paths: Sequence[Path], only: str, settings: HostSettings, output: OutputFormat
) -> list[CaseResult]:
    from cdp_pipeline.testing.cases import find_cases, load_cases, require_cases, run_cases

    results: list[CaseResult] = []
    for file in find_cases(paths):
        config = load_cases(file, os.environ)
        require_cases(config, file)
        chosen = tuple(case for case in config.test_cases if only in case.name)
        config = config.model_copy(update={"test_cases": chosen})
        if output is OutputFormat.TEXT:
            typer.echo(f"{file}")
        async for result in run_cases(config, file, os.environ, settings):
            results.append(result)
            if output is OutputFormat.TEXT:
                _show(result)
    if output is OutputFormat.TEXT:
        failed = sum(not result.has_passed for result in results)
        typer.echo(f"{len(results) - failed} passed, {failed} failed")
    return results


def _show(result: CaseResult) -> None:
    mark = "ok    " if result.has_passed else "FAILED"
    typer.echo(f"  {mark}  {printable(result.name)}")
    for mismatch in result.mismatches:
        typer.echo(f"          {printable(mismatch)}")


def _as_json(result: CaseResult) -> dict[str, object]:
    return asdict(result) | {
        "mismatches": list(result.mismatches),
        "passed": result.has_passed,
    }


async def _watched(paths: Sequence[Path], only: str, settings: HostSettings) -> None:
    """Run the cases now and after each change, until the user has seen enough."""
    from watchfiles import awatch

    from cdp_pipeline.cli.report import error_text
    from cdp_pipeline.errors import CdpError
    from cdp_pipeline.testing.cases import find_cases

    folders = {path if path.is_dir() else path.parent for path in paths}
    folders |= {file.parent for file in find_cases(paths)}

    async def run() -> None:
        try:
            await _results(paths, only, settings, OutputFormat.TEXT)
        except CdpError as error:
            typer.echo(error_text(error), err=True)

    await run()
    async for _ in awatch(*folders, debounce=300):
        typer.echo("")
        await run()
