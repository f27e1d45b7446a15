"""How a run goes: a live table on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from cdp_pipeline.observability.logs import logger

if TYPE_CHECKING:
    from rich.console import Group
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


def log_start(name: str, running: Running) -> None:
    """Log where the run begins and where it ends."""
    stream, start = running.stream, running.statistics.resumed_from
    logger(pipeline=name).info(
        "run started" if start is None else "run resumed",
        unit=stream.unit,
        after=start,
        until="the stream ends" if stream.last is None else stream.last,
    )


async def show_lines(name: str, running: Running) -> None:
    """Log a line every few seconds until cancelled."""
    log, statistics = logger(pipeline=name), running.statistics
    rates = Rates()
    rates.update(statistics)
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        read, written = rates.update(statistics)
        eta = eta_s(statistics, read)
        log.info(
            "progress",
            position=statistics.position,
            checkpoint=checkpoint_of(running),
            lag=lag(running),
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
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
        try:
            while True:
                live.update(display(name, running, rates), refresh=True)
                await asyncio.sleep(_REFRESH_S)
        finally:
            live.update(display(name, running, rates), refresh=True)


def checkpoint_of(running: Running) -> int | None:
    """Return the position through which everything is durable, or None for nothing yet."""
    position = running.pipeline.checkpoint_position
    return None if position < 0 else position


def lag(running: Running) -> int | None:
    """Return how many positions were read and are not durable everywhere yet.

    Before the first checkpoint they count from where the run began; None where the source
    does not tell where that is.
    """
    statistics, durable = running.statistics, checkpoint_of(running)
    if statistics.position is None:
        return 0
    if durable is None:
        durable = statistics.resumed_from
    if durable is None and statistics.first is not None:
        durable = statistics.first - 1
    return None if durable is None else max(0, statistics.position - durable)


def display(name: str, running: Running, rates: Rates) -> Group:
    """Return the run as it is shown: one line of totals, above a table with a line a stage."""
    from rich.console import Group
    from rich.text import Text

    read, written = rates.update(running.statistics)
    title = Text(_title(name, running, read, written), no_wrap=True, overflow="ellipsis")
    title.stylize("bold", 0, len(name))
    return Group(title, table(running.statistics))


def table(statistics: RunStatistics) -> Table:
    """Return the counters as a table, a line a stage."""
    from rich.table import Table

    shown = Table(box=None)
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
    eta, behind = eta_s(statistics, read), lag(running)
    parts = [
        f"{name}  {statistics.unit} {position}{until}",
        f"{read:,.0f} {statistics.unit}/s",
        f"{written:,.0f} messages/s",
        f"lag {'-' if behind is None else f'{behind:,}'}",
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
