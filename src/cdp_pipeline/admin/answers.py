"""The answers of the admin API, each a frozen object that is one JSON object.

The OpenAPI description is made from these classes, their fields' texts from `Attributes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdp_pipeline.admin.subject import RunState, Subject, state_of
from cdp_pipeline.engine.statistics import StageStatistics
from cdp_pipeline.errors import CdpError
from cdp_pipeline.manager.events import Event
from cdp_pipeline.manager.status import PluginStatus, ReloadReport
from cdp_pipeline.observability.recent import Line
from cdpplugin.errors import PluginError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCounters:
    """What one stage has done so far.

    Attributes:
        name: The stage.
        plugin: `name@version` at the start.
        kind: `processor` or `consumer`.
        rows_in: Rows handed to it.
        rows_out: Rows it gave; a consumer: rows it took.
        dropped: Rows left out on purpose, by instruction or by policy.
        failed: Errors met, also those that a retry mended.
        retried: Repetitions.
        dead_lettered: Rows put among the dead letters.
        busy_s: Seconds spent in the plugin, summed over workers.
    """

    name: str
    plugin: str
    kind: str
    rows_in: int
    rows_out: int
    dropped: int
    failed: int
    retried: int
    dead_lettered: int
    busy_s: float

    @classmethod
    def of(cls, stage: StageStatistics) -> StageCounters:
        """Return the counters of *stage* as they are now."""
        return cls(**{name: getattr(stage, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A run and all its parts.

    Attributes:
        pipeline: The pipeline's name.
        state: `running`, `paused` (nothing is let in) or `draining` (it ends once what was
            read is durable).
        source: The source.
        unit: What positions count, such as `ledgers`.
        first: First position of the range, if known.
        last: Last position of a bounded range.
        resumed_from: The position this run went on from; null for a fresh start.
        position: Position of the newest row read.
        checkpoint: Position through which everything is durable; null for nothing yet.
        rows_read: Rows the source gave.
        size_bytes_read: Bytes of their payloads.
        elapsed_s: Seconds since the run began.
        stages: The stages, in the order of the pipeline.
        plugins: The plugins, in the order of the pipeline.
    """

    pipeline: str
    state: RunState
    source: str
    unit: str
    first: int | None
    last: int | None
    resumed_from: int | None
    position: int | None
    checkpoint: int | None
    rows_read: int
    size_bytes_read: int
    elapsed_s: float
    stages: Sequence[StageCounters]
    plugins: Sequence[PluginStatus]

    @classmethod
    def of(cls, subject: Subject) -> RunStatus:
        """Return how *subject* is now."""
        numbers, run = subject.statistics, subject.pipeline
        durable = run.checkpoint_position
        same = ("source", "unit", "first", "last", "resumed_from", "position", "rows_read")
        return cls(
            pipeline=subject.name,
            state=state_of(run),
            checkpoint=None if durable < 0 else durable,
            size_bytes_read=numbers.size_bytes_read,
            elapsed_s=round(numbers.elapsed_s, 3),
            stages=[StageCounters.of(stage) for stage in numbers.stages],
            plugins=list(subject.manager.statuses()),
            **{name: getattr(numbers, name) for name in same},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginList:
    """The plugins of a run.

    Attributes:
        pipeline: The pipeline's name.
        plugins: The plugins, in the order of the pipeline.
    """

    pipeline: str
    plugins: Sequence[PluginStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloads:
    """How a reload went.

    Attributes:
        reports: One a stage that uses the plugin.
    """

    reports: Sequence[ReloadReport]


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What happened to plugins.

    Attributes:
        events: Oldest first; at most the newest thousand are kept.
        newest: Number of the newest event; 0 where there is none. Ask for those after it next.
    """

    events: Sequence[Event]
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLines:
    """The newest log lines of a plugin.

    Attributes:
        lines: Oldest first.
        newest: Number of the newest line of all plugins. Ask for those after it next.
    """

    lines: Sequence[Line]
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineState:
    """What a run does after it was asked to do something else.

    Attributes:
        pipeline: The pipeline's name.
        state: `running`, `paused` or `draining`.
    """

    pipeline: str
    state: RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """The host answers.

    Attributes:
        status: Always `live`.
    """

    status: Literal["live"] = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether everything serves.

    Attributes:
        is_ready: Whether all plugins run and the pipeline is not draining.
        reasons: Why it is not ready, a line each.
    """

    is_ready: bool
    reasons: Sequence[str]

    @classmethod
    def of(cls, subject: Subject) -> Readiness:
        """Return whether *subject* is ready now."""
        reasons = [_reason(status) for status in subject.manager.statuses() if not _runs(status)]
        if subject.pipeline.is_stopping:
            reasons.append("the pipeline is draining")
        return cls(is_ready=not reasons, reasons=reasons)


class Exposition(bytes):
    """The numbers of a run in Prometheus' text format; `docs/reference/metrics.md` lists them."""

    media_type = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request was not answered.

    Attributes:
        code: Stable name of the error.
        message: What was expected and what came.
        hint: What can be done, or empty.
    """

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: CdpError | PluginError) -> Refusal:
        """Return *error* as it is answered."""
        return cls(code=error.code, message=str(error), hint=error.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The OpenAPI description of this API.

    Attributes:
        openapi: Version of OpenAPI.
        info: Title and version of the API.
        paths: What can be asked for.
        components: The forms of the answers.
        security: What a request needs: a token, or nothing.
    """

    openapi: str
    info: Mapping[str, Any]
    paths: Mapping[str, Any]
    components: Mapping[str, Any]
    security: Sequence[Mapping[str, Any]]


def _runs(status: PluginStatus) -> bool:
    return status.state == "running"


def _reason(status: PluginStatus) -> str:
    why = status.reason or status.health_message
    return f"plugin `{status.name}` is {status.state}" + (f": {why}" if why else "")
