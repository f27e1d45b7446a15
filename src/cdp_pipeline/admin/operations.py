"""What the admin API can be asked for: one table, from which server and description are made."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cdp_pipeline.admin import answers, desk
from cdp_pipeline.admin.desk import Asked, Desk
from cdp_pipeline.manager.recording import Recorded

Given = tuple[int, Any]
"""HTTP status, and the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number in a request's query.

    Attributes:
        name: Its name.
        description: What it means.
        kind: `integer` or `number`.
        least: The least that is taken.
        most: The most that is taken.
        default: What it is where it is left out.
    """

    name: str
    description: str
    kind: Literal["integer", "number"] = "integer"
    least: int = 0
    most: int | None = None
    default: int = 0

    def value_of(self, text: str | None) -> float | None:
        """Return the number in *text*; None where it does not fit."""
        if text is None:
            return self.default
        try:
            value = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            return None
        fits = self.least <= value <= (math.inf if self.most is None else self.most)
        return value if fits else None

    @property
    def expected(self) -> str:
        """What fits, in words."""
        what = "a whole number" if self.kind == "integer" else "a number"
        return what + (f" from {self.least}" + (f" to {self.most}" if self.most else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked for.

    Attributes:
        method: `GET` looks, `POST` changes.
        path: Its path, `{name}` for a plugin or stage.
        id: Names it in the description.
        summary: What it does, one line.
        perform: What answers it.
        answers: For each status the answer's class and what it means.
        parameters: What the query may hold.
    """

    method: Literal["GET", "POST"]
    path: str
    id: str
    summary: str
    perform: Callable[[Desk, Asked], Awaitable[Given]]
    answers: Mapping[int, tuple[type, str]]
    parameters: tuple[Parameter, ...] = field(default=())


_UNKNOWN = {404: (answers.Refusal, "No stage and no plugin has that name.")}
_BAD_QUERY = {400: (answers.Refusal, "A parameter does not fit.")}
_DRAINING = {409: (answers.Refusal, "The pipeline is draining.")}
_AFTER = Parameter(name="after", description="Only those with a higher number.")
_WAIT = Parameter(
    name="wait_s",
    description="How long to wait for one where there is none yet, in seconds.",
    kind="number",
    most=60,
)
_LINES = Parameter(
    name="lines", description="Most lines to give, the newest.", least=1, most=1000, default=100
)

_COUNT = Parameter(
    name="count", description="How many messages are recorded.", least=1, most=1000, default=10
)
_RECORD_WAIT = Parameter(
    name="wait_s",
    description="How long to wait for them, in seconds; what came by then is the answer.",
    kind="number",
    most=600,
    default=60,
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/status",
        id="status",
        summary="How the run and all its parts are",
        perform=desk.status,
        answers={200: (answers.RunStatus, "How it is now.")},
    ),
    Operation(
        method="GET",
        path="/plugins",
        id="plugins",
        summary="How every plugin is",
        perform=desk.plugins,
        answers={200: (answers.PluginList, "How they are now.")},
    ),
    Operation(
        method="GET",
        path="/plugins/{name}",
        id="plugin",
        summary="How one plugin is, in each stage that uses it",
        perform=desk.plugin,
        answers={200: (answers.PluginList, "How it is now."), **_UNKNOWN},
    ),
    Operation(
        method="POST",
        path="/plugins/{name}/reload",
        id="reload",
        summary="Reload a plugin; answered once the new code serves or the old code goes on",
        perform=desk.reload,
        answers={
            200: (answers.Reloads, "Every stage switched."),
            409: (answers.Reloads, "At least one was rolled back or refused."),
            **_UNKNOWN,
        },
    ),
    Operation(
        method="GET",
        path="/plugins/{name}/logs",
        id="logs",
        summary="The newest log lines of a plugin",
        perform=desk.logs,
        answers={200: (answers.LogLines, "The lines."), **_BAD_QUERY, **_UNKNOWN},
        parameters=(_LINES, _AFTER),
    ),
    Operation(
        method="GET",
        path="/plugins/{name}/record",
        id="record",
        summary="The next messages of a stage, and what comes of them; ends when the client goes",
        perform=desk.record,
        answers={
            200: (Recorded, "What was recorded."),
            409: (answers.Refusal, "It is being recorded."),
            **_BAD_QUERY,
            **_UNKNOWN,
        },
        parameters=(_COUNT, _RECORD_WAIT),
    ),
    Operation(
        method="GET",
        path="/events",
        id="events",
        summary="What happened to plugins",
        perform=desk.events,
        answers={200: (answers.Events, "The events."), **_BAD_QUERY},
        parameters=(_AFTER, _WAIT),
    ),
    Operation(
        method="POST",
        path="/pipeline/pause",
        id="pause",
        summary="Let nothing more in; what is inside goes on to its end",
        perform=desk.pause,
        answers={200: (answers.PipelineState, "It is paused."), **_DRAINING},
    ),
    Operation(
        method="POST",
        path="/pipeline/resume",
        id="resume",
        summary="Undo a pause",
        perform=desk.resume,
        answers={200: (answers.PipelineState, "It runs."), **_DRAINING},
    ),
    Operation(
        method="POST",
        path="/pipeline/drain",
        id="drain",
        summary="Stop reading, make durable what was read, and end",
        perform=desk.drain,
        answers={200: (answers.PipelineState, "It is draining.")},
    ),
    Operation(
        method="GET",
        path="/metrics",
        id="metrics",
        summary="The numbers of the run, for Prometheus",
        perform=desk.metrics,
        answers={200: (answers.Exposition, "The numbers as they are now.")},
    ),
    Operation(
        method="GET",
        path="/livez",
        id="livez",
        summary="Whether the host answers",
        perform=desk.livez,
        answers={200: (answers.Liveness, "It does.")},
    ),
    Operation(
        method="GET",
        path="/readyz",
        id="readyz",
        summary="Whether all plugins run and the pipeline is not draining",
        perform=desk.readyz,
        answers={
            200: (answers.Readiness, "It is ready."),
            503: (answers.Readiness, "It is not, for these reasons."),
        },
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        id="openapi",
        summary="This description",
        perform=desk.description,
        answers={200: (answers.Description, "The description.")},
    ),
)
