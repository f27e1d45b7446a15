"""`flowctl run`: run a pipeline to its end, showing how it goes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp_pipeline.cli.arguments import PipelineFile
from cdp_pipeline.cli.report import exit_at_once
from cdp_pipeline.cli.settings import SettingsFile
from cdp_pipeline.errors import ExitCode

if TYPE_CHECKING:
    from cdp_pipeline.admin import Listen
    from cdp_pipeline.config import HostSettings, PipelineConfig
    from cdp_pipeline.host.running import Running, RunResult


_HARD_STOP_S = 2.0
"""How long a hard stop gives plugins to close what they hold open, in seconds."""


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def run(
    file: PipelineFile,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            "--log-format",
            help="Log lines for people or for machines; by default as `flowctl.yaml` says, "
            "else text.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", help="debug, info, warning or error.")
    ] = "info",
    progress: Annotated[
        bool | None,
        typer.Option(
            "--progress/--no-progress",
            help="Live display; by default on a terminal.",
            show_default=False,
        ),
    ] = None,
    admin: Annotated[
        str,
        typer.Option(
            "--admin",
            help="Where the run can be seen and steered: `unix` (a socket of this user's own), "
            "a loopback address such as `127.0.0.1:0` (with a token), or `off`.",
            metavar="ADDRESS",
        ),
    ] = "unix",
    settings: SettingsFile = None,
) -> None:
    """Run a pipeline, going on where the last run ended.

    SIGINT and SIGTERM drain: what was read is finished and made durable. A second one
    stops hard; the next run then goes on from the last checkpoint. A bounded range that
    was stopped before its end gives exit code 130 (SIGINT) or 143 (SIGTERM).

    Example: `flowctl run examples/pipelines/quickstart.yaml`
    """
    from cdp_pipeline.admin import parse_listen
    from cdp_pipeline.cli import summary
    from cdp_pipeline.cli.standard_output import reserved_stdout

    host, live_by_default = _configure_logs(log_format, log_level, settings)
    listen = parse_listen(admin)
    config = _loaded(file)
    live = sys.stderr.isatty() and live_by_default if progress is None else progress
    with reserved_stdout():
        run = _Run(config, host, listen, live=live)
        result = asyncio.run(run.run())
    code = run.exit_code(result)
    summary.show(config.name, result, code)
    if code:
        raise typer.Exit(code)


def _configure_logs(
    log_format: LogFormat | None, level: str, file: Path | None
) -> tuple[HostSettings, bool]:
    """Set logs up as arguments and settings say.

    Returns:
        The settings, and whether a live display suits the logs.
    """
    from cdp_pipeline.cli.settings import host_settings, unused
    from cdp_pipeline.config import Secrets
    from cdp_pipeline.errors import UsageError
    from cdp_pipeline.observability.logs import LEVELS, configure_logs, logger, mask_logs

    configure_logs(log_format.value if log_format else "text")
    if level not in LEVELS:
        raise UsageError(f"expected one of {', '.join(LEVELS)} for --log-level, got `{level}`")
    mask_logs(Secrets().masked)
    settings = host_settings(file)
    chosen = log_format.value if log_format else settings.log_format
    configure_logs("json" if chosen == "json" else "text", level)
    for line in unused(settings):
        logger().warning(line)
    return settings, chosen == "auto" or log_format is LogFormat.TEXT


def _loaded(file: Path) -> PipelineConfig:
    from cdp_pipeline.config import load_pipeline
    from cdp_pipeline.errors import ConfigError
    from cdp_pipeline.host.unfinished import with_component_faults
    from cdp_pipeline.observability.logs import mask_logs

    try:
        config = load_pipeline(file, os.environ)
    except ConfigError as error:
        raise with_component_faults(error, file, os.environ) from error
    mask_logs(config.secrets.masked)
    return config


class _Run:
    """One run with its signals and its display."""

    def __init__(
        self, config: PipelineConfig, settings: HostSettings, listen: Listen, *, live: bool
    ) -> None:
        self._config = config
        self._settings = settings
        self._listen = listen
        self._live = live
        self._running: Running | None = None
        self._signals: list[int] = []

    def exit_code(self, result: RunResult) -> ExitCode:
        """Return what the process is to end with: a range left unfinished is no success."""
        through, last = result.statistics.checkpoint, result.stream.last
        unfinished = last is not None and (through is None or through < last)
        if result.ending == "stopped" and self._signals and unfinished:
            return ExitCode(128 + self._signals[0])
        return result.exit_code

    async def run(self) -> RunResult:
        """Run until the pipeline ends or is stopped."""
        from cdp_pipeline.host.running import run_pipeline

        work = asyncio.create_task(
            run_pipeline(
                self._config,
                os.environ,
                settings=self._settings,
                on_started=self._on_started,
                serving=self._serving,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number, work)
        display = asyncio.create_task(self._display())
        try:
            return await work
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            gc.unfreeze()
            display.cancel()
            await asyncio.gather(display, return_exceptions=True)

    def _serving(self, running: Running) -> AbstractAsyncContextManager[Any]:
        from cdp_pipeline.admin import serving

        return serving(running, running.folder, os.environ, self._listen)

    def _on_started(self, running: Running) -> None:
        from cdp_pipeline.cli.progress import log_start
        from cdp_pipeline.observability.logs import logger

        _collect_garbage_seldom()
        self._running = running
        if not self._live:
            log_start(self._config.name, running)
        for note in running.notes:
            logger(pipeline=self._config.name).warning(note)
        if self._signals:
            running.pipeline.stop()

    def _on_signal(self, number: int, work: asyncio.Task[RunResult]) -> None:
        from cdp_pipeline.observability.logs import logger

        self._signals.append(number)
        if len(self._signals) > 1 or self._running is None:
            work.cancel()
            # A plugin's thread that never returns would hold up a polite end for ever.
            asyncio.get_running_loop().call_later(_HARD_STOP_S, exit_at_once)
            return
        logger(pipeline=self._config.name).info("draining; a second signal stops hard")
        self._running.pipeline.stop()

    async def _display(self) -> None:
        from cdp_pipeline.cli.progress import show_lines, show_live

        while self._running is None:  # noqa: ASYNC110 - the start is announced by a callback
            await asyncio.sleep(0.05)
        show = show_live if self._live else show_lines
        await show(self._config.name, self._running)


def _collect_garbage_seldom() -> None:
    """Leave what the start made alone, and look for cycles less often.

    Batches make many short-lived objects and hardly any cycles: rows come a fifth faster.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
