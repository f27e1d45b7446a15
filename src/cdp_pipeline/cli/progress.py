"""How a run goes: a live table on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from cdp_pipeline.observability.logs import logger

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipeline.engine.statistics import RunStatistics
    from cdp_pipeline.host.running import Running

_REFRESH_S = 0.25
_LINE_EVERY_S = 5.0
_WINDOW_S = 5.0


@dataclass(slots=True)
class Rates:
    """Rows a second over the last few seconds."""

    _samples: list[tuple[float, int, int]] = field(default_factory=list)

    def update(self, statistics: RunStatistics) -> tuple[float, float]:
        """Return (source rows, rows at the consumers) a second."""
        now = monotonic()
        self._samples.append((now, statistics.rows_read, rows_written(statistics)))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW_S:
            self._samples.pop(0)
        (then, read, written), (_, read_now, written_now) = self._samples[0], self._samples[-1]
        elapsed = now - then
        if elapsed <= 0:
            return 0.0, 0.0
        return (read_now - read) / elapsed, (written_now - written) / elapsed


def rows_written(statistics: RunStatistics) -> int:
    """Return the rows that consumers took."""
    return sum(stage.rows_out for stage in statistics.stages if stage.kind == "consumer")


def eta_s(statistics: RunStatistics, rows_per_s: float) -> float | None:
    """Return how long a bounded range still takes, in seconds, or None."""
    if statistics.last is None or statistics.position is None or rows_per_s <= 0:
        return None
    return max(0, statistics.last - statistics.position) / rows_per_s


async def show_lines(name: str, running: Running) -> None:
    """Log a line every few seconds until cancelled."""
    log = logger(pipeline=name)
    stream, statistics = running.stream, running.statistics
    until = "the tip" if stream.last is None else str(stream.last)
    start = statistics.resumed_from
    log.info(
        "run started" if start is None else "run resumed",
        unit=stream.unit,
        after=start,
        until=until,
    )
    rates = Rates()
    rates.update(statistics)
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        read, written = rates.update(statistics)
        eta = eta_s(statistics, read)
        log.info(
            "progress",
            position=statistics.position,
            checkpoint=running.pipeline.checkpoint_position,
            lag=_lag(running),
            **{f"{statistics.unit}_per_s": round(read, 1)},
            messages_per_s=round(written, 1),
            eta_s=None if eta is None else round(eta),
        )


async def show_live(name: str, running: Running) -> None:
    """Keep a table on the terminal until cancelled, and leave its last state there."""
    from rich.console import Console
    from rich.live import Live

    rates = Rates()
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                live.update(table(name, running, rates), refresh=True)
                await asyncio.sleep(_REFRESH_S)
        finally:
            live.update(table(name, running, rates), refresh=True)


def _lag(running: Running) -> int:
    """Positions that were read and are not durable everywhere yet."""
    position = running.statistics.position
    return 0 if position is None else max(0, position - running.pipeline.checkpoint_position)


def table(name: str, running: Running, rates: Rates) -> Table:
    """Return the run as a table: one line of totals, one line a stage."""
    from rich.table import Table

    statistics = running.statistics
    read, written = rates.update(statistics)
    shown = Table(title=_title(name, running, read, written), title_justify="left", box=None)
    shown.add_column("stage", style="bold")
    for column in ("in", "out", "dropped", "retried", "dead letters", "errors"):
        shown.add_column(column, justify="right")
    shown.add_row(statistics.source, "", f"{statistics.rows_read:,}", "", "", "", "")
    for stage in statistics.stages:
        counts = [stage.rows_in, stage.rows_out, stage.dropped, stage.retried]
        counts += [stage.dead_lettered, stage.failed]
        shown.add_row(stage.name, *(f"{count:,}" if count else "-" for count in counts))
    return shown


def _title(name: str, running: Running, read: float, written: float) -> str:
    statistics = running.statistics
    position = "-" if statistics.position is None else f"{statistics.position:,}"
    until = "" if statistics.last is None else f" of {statistics.last:,}"
    eta = eta_s(statistics, read)
    parts = [
        f"[bold]{name}[/bold]  {statistics.unit} {position}{until}",
        f"{read:,.0f} {statistics.unit}/s",
        f"{written:,.0f} messages/s",
        f"lag {_lag(running):,}",
    ]
    if eta is not None:
        parts.append(f"ETA {duration(eta)}")
    return "  |  ".join(parts)


def duration(seconds: float) -> str:
    """Return *seconds* as people say it: `42 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
