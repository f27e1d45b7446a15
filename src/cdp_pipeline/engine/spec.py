"""How a stage is run, and how it gives up."""

from __future__ import annotations

from dataclasses import dataclass

from cdp_pipeline.engine.batcher import BatchLimits
from cdp_pipeline.engine.parcel import Parcel
from cdp_pipeline.engine.policy import ErrorPolicy
from cdpplugin import PluginError


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTerms:
    """When a stage is not asked any more.

    Attributes:
        failure_rate: Share of rows in the window that failed, above which it opens.
        rows: Rows in the window before their share counts.
        window_s: Length of the sliding window, in seconds.
        pause_s: How long the stage is left alone.
    """

    failure_rate: float = 0.5
    rows: int = 100
    window_s: float = 10.0
    pause_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """How a stage is run.

    Attributes:
        name: Unique in its pipeline; part of derived ids.
        plugin: `name@version`, for errors and dead letters.
        on_error: What to do with a row that failed.
        limits: How batches are cut.
        workers: Batches worked on at the same time; order is kept all the same.
        breaker: When it is left alone for a while; None for never.
        takes: Message types that are handed to the plugin; the others pass by it (a consumer:
            are left out). Empty means every type.
    """

    name: str
    plugin: str
    on_error: ErrorPolicy
    limits: BatchLimits
    workers: int = 1
    takes: frozenset[str] = frozenset()
    breaker: BreakerTerms | None = None


class StageFailed(Exception):
    """A stage gave up; carries what the user is told.

    Attributes:
        spec: The stage.
        error: Why.
        position: Where, if it was one row.
        before: What of the parcel came before that position, and is good.
    """

    def __init__(self, spec: StageSpec, error: PluginError, position: int | None) -> None:
        super().__init__(str(error))
        self.spec = spec
        self.error = error
        self.position = position
        self.before: Parcel | None = None
