"""The end of a run in words: what was done, what was not, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cdp_pipeline.cli.progress import duration, rows_written
from cdp_pipeline.cli.report import print_error

if TYPE_CHECKING:
    from cdp_pipeline.host.running import RunResult


def show(name: str, result: RunResult, exit_code: int) -> None:
    """Print the summary of a run to stderr; as one JSON line where log lines are JSON."""
    from cdp_pipeline.observability.logs import log_format

    for fault in result.faults:
        print_error(fault)
    if log_format() == "json":
        _log(name, result, exit_code)
        return
    for line in lines(name, result):
        print(line, file=sys.stderr)


def headline(name: str, result: RunResult) -> str:
    """Return in one sentence how the run ended."""
    statistics, unit = result.statistics, result.statistics.unit
    through = statistics.checkpoint
    durable = "nothing is durable yet" if through in (None, -1) else f"durable through {through}"
    match result.ending:
        case "already_completed":
            done = f"{name}: nothing to do, the range was already completed ({durable})"
            return f"{done}; `flowctl checkpoint reset` starts it over"
        case "nothing_read":
            return f"{name}: nothing moved, the source gave no {unit} ({durable})"
        case "completed":
            return f"{name}: completed, {durable}"
        case "stopped":
            return f"{name}: stopped on request, {durable}; the next run goes on from there"
        case "failed":
            return f"{name}: failed, {durable}; the next run goes on from there"


def counted(number: int, unit: str) -> str:
    """Return *number* of *unit* as people say it: `1 ledger`, `2 ledgers`."""
    return f"{number:,} {unit.removesuffix('s') if number == 1 else unit}"


def lines(name: str, result: RunResult) -> list[str]:
    """Return the summary, a line each."""
    statistics = result.statistics
    elapsed = max(statistics.elapsed_s, 1e-9)
    said = [headline(name, result)]
    if statistics.rows_read:
        said.append(
            f"  {counted(statistics.rows_read, statistics.unit)} "
            f"({statistics.size_bytes_read / 1e6:,.1f} MB) in {duration(elapsed)}: "
            f"{statistics.rows_read / elapsed:,.0f} {statistics.unit}/s, "
            f"{rows_written(statistics) / elapsed:,.0f} messages/s"
        )
    for stage in statistics.stages:
        said.append(f"  {stage.name}: {stage.rows_in:,} in, {stage.rows_out:,} out")
        said += [f"    {kind}: {rows:,}" for kind, rows in sorted(stage.by_type.items())]
        said += [f"    dropped {rows:,}: {why}" for why, rows in stage.drop_reasons.items()]
        if stage.dead_lettered:
            said.append(f"    dead letters: {stage.dead_lettered:,} in {result.dead_letters}")
    return said


def _log(name: str, result: RunResult, exit_code: int) -> None:
    from dataclasses import asdict

    from cdp_pipeline.observability.logs import logger

    numbers = asdict(result.statistics)
    numbers.pop("started_s")
    numbers["checkpoint"] = None if numbers["checkpoint"] == -1 else numbers["checkpoint"]
    log = logger(pipeline=name)
    faults = [{"code": fault.code, "message": fault.message} for fault in result.faults]
    (log.error if faults else log.info)(
        "run ended",
        ending=result.ending,
        elapsed_s=round(result.statistics.elapsed_s, 3),
        exit_code=exit_code,
        faults=faults,
        **numbers,
    )
