"""Answer what the admin API is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.admin.answers import (
    Events,
    Exposition,
    Liveness,
    LogLines,
    PipelineState,
    PluginList,
    Readiness,
    Reloads,
    RunStatus,
)
from cdp_pipeline.admin.metrics import exposition
from cdp_pipeline.admin.subject import Subject, state_of
from cdp_pipeline.errors import StateError
from cdp_pipeline.observability.logs import logger, recent_lines


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers are made from.

    Attributes:
        subject: The run.
        closing: Set when the server ends: nobody is to wait any longer.
    """

    subject: Subject
    closing: asyncio.Event = field(default_factory=asyncio.Event)


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in a request.

    Attributes:
        name: The plugin or stage in its path, or empty.
        numbers: The parameters in its query, defaults filled in.
        gone: Returns once nobody waits for the answer any more.
    """

    name: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    gone: Callable[[], Awaitable[object]] = field(default=_never)

    def whole(self, parameter: str) -> int:
        """Return a parameter that is a whole number."""
        return int(self.numbers[parameter])


async def status(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return how the run and all its parts are."""
    return 200, RunStatus.of(desk.subject)


async def plugins(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return how every plugin is."""
    subject = desk.subject
    return 200, PluginList(pipeline=subject.name, plugins=list(subject.manager.statuses()))


async def plugin(desk: Desk, asked: Asked) -> tuple[int, Any]:
    """Return how one plugin is, in each stage that uses it."""
    subject = desk.subject
    stages = set(subject.manager.named(asked.name))
    found = [status for status in subject.manager.statuses() if status.name in stages]
    return 200, PluginList(pipeline=subject.name, plugins=found)


async def reload(desk: Desk, asked: Asked) -> tuple[int, Any]:
    """Reload a plugin."""
    manager = desk.subject.manager
    manager.named(asked.name)
    reports = list(await manager.reload(asked.name, reason="command"))
    switched = all(report.outcome == "switched" for report in reports)
    return (200 if switched else 409), Reloads(reports=reports)


async def logs(desk: Desk, asked: Asked) -> tuple[int, Any]:
    """Return the newest log lines of a plugin."""
    manager, recent = desk.subject.manager, recent_lines()
    stages = set(manager.named(asked.name))
    newest = recent.newest
    found = {
        line.number: line
        for status in manager.statuses()
        if status.name in stages
        for line in recent.of(status.reference, status.name, after=asked.whole("after"))
        if line.number <= newest
    }
    lines = [found[number] for number in sorted(found)]
    return 200, LogLines(lines=lines[-asked.whole("lines") :], newest=newest)


async def events(desk: Desk, asked: Asked) -> tuple[int, Any]:
    """Return events, at once where there are any, else once there are or the time is over."""
    log, after = desk.subject.manager.events, asked.whole("after")
    found = log.after(after)
    if not found and asked.numbers["wait_s"]:
        await _first(asked.numbers["wait_s"], log.wait_after(after), desk.closing.wait())
        found = log.after(after)
    return 200, Events(events=found, newest=log.newest)


async def record(desk: Desk, asked: Asked) -> tuple[int, Any]:
    """Record the next messages of a stage, until there are enough or nobody waits for them."""
    manager = desk.subject.manager
    with manager.recording(asked.name, asked.whole("count")) as recording:
        enough = recording.done.wait()
        await _first(asked.numbers["wait_s"], enough, desk.closing.wait(), asked.gone())
        return 200, manager.recorded(asked.name, recording)


async def pause(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Let nothing more in."""
    run = _undrained(desk)
    if not run.is_paused:
        run.pause()
        logger(pipeline=desk.subject.name).info("paused on request: nothing more is read")
    return 200, _state(desk)


async def resume(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Undo a pause."""
    run = _undrained(desk)
    if run.is_paused:
        run.resume()
        logger(pipeline=desk.subject.name).info("resumed on request")
    return 200, _state(desk)


async def drain(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Stop reading, make durable what was read, and end."""
    run = desk.subject.pipeline
    if not run.is_stopping:
        logger(pipeline=desk.subject.name).info("draining on request")
        run.stop()
    return 200, _state(desk)


async def metrics(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return the numbers of the run for Prometheus."""
    return 200, Exposition(exposition(desk.subject))


async def livez(_desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return that the host answers."""
    return 200, Liveness()


async def readyz(desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return whether everything serves."""
    readiness = Readiness.of(desk.subject)
    return (200 if readiness.is_ready else 503), readiness


async def description(_desk: Desk, _asked: Asked) -> tuple[int, Any]:
    """Return the OpenAPI description."""
    from cdp_pipeline.admin.openapi import describe

    return 200, describe()


async def _first(timeout_s: float, *waits: Awaitable[object]) -> None:
    """Wait until one of *waits* is over, or the time is."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _undrained(desk: Desk) -> Any:
    """Return the run.

    Raises:
        StateError: pipeline.draining.
    """
    run = desk.subject.pipeline
    if run.is_stopping:
        raise StateError(
            f"the pipeline `{desk.subject.name}` is draining: it reads nothing more, then it ends",
            code="pipeline.draining",
            hint="run it again once it has ended; it goes on where everything was durable",
        )
    return run


def _state(desk: Desk) -> PipelineState:
    return PipelineState(pipeline=desk.subject.name, state=state_of(desk.subject.pipeline))
