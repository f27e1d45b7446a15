"""What a server shows and steers: a run and its plugins."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from cdp_pipeline.engine.statistics import RunStatistics
from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.recording import Recorded, Recording
from cdp_pipeline.manager.status import PluginStatus, ReloadReport

RunState = Literal["running", "paused", "draining"]


class Plugins(Protocol):
    """The plugins of a run."""

    @property
    def events(self) -> EventLog:
        """What happened to them."""

    def statuses(self) -> Sequence[PluginStatus]:
        """Return how each is, in the order of the pipeline."""

    def named(self, name: str) -> Sequence[str]:
        """Return the stages that *name* means: one, or all that use the plugin of that name.

        Raises:
            CdpError: plugin.unknown.
        """

    def recording(self, name: str, count: int) -> AbstractContextManager[Recording]:
        """Record the next messages of a stage, for as long as the block lasts.

        Raises:
            CdpError: plugin.unknown, record.not_a_stage or record.busy.
        """

    def recorded(self, name: str, recording: Recording) -> Recorded:
        """Return what was recorded of a stage, and what that is made from."""

    async def reload(self, name: str, *, reason: str = "command") -> Sequence[ReloadReport]:
        """Reload them; one report a stage."""


class Run(Protocol):
    """The engine's run."""

    @property
    def checkpoint_position(self) -> int:
        """Position through which everything is durable; -1 for nothing yet."""

    @property
    def is_paused(self) -> bool:
        """Whether nothing is let in."""

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked it to stop."""

    def pause(self) -> None:
        """Let nothing more in."""

    def resume(self) -> None:
        """Undo `pause`."""

    def stop(self) -> None:
        """Stop reading; what was read is finished, made durable and checkpointed."""


class Subject(Protocol):
    """A run in progress."""

    @property
    def name(self) -> str:
        """The pipeline's name."""

    @property
    def pipeline(self) -> Run:
        """The engine's run."""

    @property
    def statistics(self) -> RunStatistics:
        """Live counters."""

    @property
    def manager(self) -> Plugins:
        """Its plugins."""


def state_of(run: Run) -> RunState:
    """Return in one word what a run does."""
    if run.is_stopping:
        return "draining"
    return "paused" if run.is_paused else "running"
