"""The plugins of one running pipeline: loaded, started, watched, replaced, stopped.

manager = PluginManager(ManagerSettings())
handle = await manager.load("enrich", "enrich", candidate)     # what the engine is given
...                                                             # configure and start it
reports = await manager.reload("enrich")                        # another instance, same handle
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from typing import Any

from cdp_pipeline.errors import CdpError, ExitCode, UsageError
from cdp_pipeline.manager.admission import Machine, admit
from cdp_pipeline.manager.background import Background
from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.handles import MANAGED
from cdp_pipeline.manager.instance import Candidate, Instance, Renew
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.recording import Recorded, Recording, RecordingBusy
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import PluginStatus, ReloadReport
from cdp_pipeline.manager.upkeep import Upkeep
from cdpplugin import Context, PluginMetadata


class UnknownPlugin(CdpError):
    """No plugin of the pipeline has this name."""

    code = "plugin.unknown"
    exit_code = ExitCode.USAGE


class PluginManager:
    """The plugins of one pipeline.

    Attributes:
        events: What has happened to them.
    """

    def __init__(self, settings: ManagerSettings, machine: Machine | None = None) -> None:
        self.events = EventLog()
        self._settings = settings
        self._machine = machine or Machine.this()
        self._plugins: dict[str, Upkeep] = {}
        self._background = Background(settings)

    async def load(
        self,
        name: str,
        plugin: str,
        candidate: Candidate,
        *,
        runtime: Callable[[Any], str],
        renew: Renew | None = None,
        not_reloadable: str = "",
    ) -> Managed:
        """Load a plugin; return the handle that stays whatever instance is behind it.

        Args:
            name: The stage.
            plugin: The name by which the pipeline lists it, or the component's type.
            candidate: What it is made from.
            runtime: Tells what executes a handle.
            renew: Looks again at what it is made from, for a reload.
            not_reloadable: Why it cannot be reloaded; else empty.

        Raises:
            AdmissionRefused: There is no room for it.
            CdpError: It cannot be loaded.
        """
        instance = await Instance.load(candidate)
        metadata = instance.metadata
        try:
            self._admit(name, metadata)
        except CdpError:
            with suppress(Exception):
                await instance.stop()
            raise
        managed = MANAGED[metadata.type](
            name,
            plugin,
            instance,
            runtime=runtime(instance.handle),
            settings=self._settings,
            events=self.events,
            not_reloadable=not_reloadable,
        )
        self._plugins[name] = Upkeep(
            managed, renew, partial(self._admit, name), self._background, self._settings
        )
        return managed

    def handle(self, name: str) -> Managed:
        """Return the handle of stage *name*.

        Raises:
            UnknownPlugin: There is no such stage.
        """
        if name not in self._plugins:
            raise self._unknown(name)
        return self._plugins[name].managed

    async def start(self, name: str, context: Context) -> None:
        """Start a plugin that is configured.

        Raises:
            UnknownPlugin: There is no such stage.
            PluginError: It does not start.
        """
        await self.handle(name).start(context)

    async def stop(self, name: str) -> None:
        """Stop a plugin; it stays known, and says that it is stopped.

        Raises:
            UnknownPlugin: There is no such stage.
            PluginError: It failed to stop.
        """
        await self.handle(name).stop()

    def watch(self) -> None:
        """Ask every plugin how it is, from now on, until `end`."""
        for plugin in self._plugins.values():
            self._background.spawn(plugin.watch_health())

    def hurry(self) -> None:
        """Let no message wait for a plugin that is out of service: the run is to stop."""
        for entry in self._plugins.values():
            entry.managed.hurry()

    async def end(self) -> None:
        """End what goes on in the background; plugins are stopped by their handles.

        A reload in progress is given up, and what was replaced is stopped.
        """
        await self._background.end()

    def _admit(self, name: str, metadata: PluginMetadata) -> None:
        """Refuse a plugin for stage *name* for which there is no room beside the others.

        Raises:
            AdmissionRefused: There is none.
        """
        others = [e.managed.metadata().resources for n, e in self._plugins.items() if n != name]
        admit(metadata, others, self._machine, self._settings.max_plugins)

    async def unload(self, name: str) -> None:
        """Stop a plugin and forget it.

        Raises:
            UnknownPlugin: There is no such stage.
            PluginError: It failed to stop.
        """
        self.handle(name)
        await self._plugins.pop(name).unload()

    def statuses(self) -> list[PluginStatus]:
        """Return how each plugin is, in the order of the pipeline."""
        return [entry.managed.status() for entry in self._plugins.values()]

    def named(self, name: str) -> list[str]:
        """Return the stages that *name* means: one, or all that use the plugin listed so.

        Raises:
            UnknownPlugin: There is none.
        """
        if name in self._plugins:
            return [name]
        using = [stage for stage, e in self._plugins.items() if e.managed.plugin == name]
        if not using:
            raise self._unknown(name)
        return using

    @contextmanager
    def recording(self, name: str, count: int) -> Iterator[Recording]:
        """Record the next *count* messages of a stage, for as long as the block lasts.

        Raises:
            UnknownPlugin: There is no such plugin.
            UsageError: record.not_a_stage; it is a source, or a plugin of several stages.
            RecordingBusy: It is being recorded.
        """
        managed = self.handle(self._recordable(name))
        if managed.recording is not None:
            raise RecordingBusy(f"`{managed.name}` is being recorded")
        managed.recording = Recording(count)
        try:
            yield managed.recording
        finally:
            managed.recording = None

    def recorded(self, name: str, recording: Recording) -> Recorded:
        """Return what *recording* holds of a stage, and what that is made from now."""
        managed = self.handle(self._recordable(name))
        metadata, candidate = managed.metadata(), managed.current.candidate
        cases = [case.masked(candidate.masked) for case in recording.cases]
        return Recorded(
            stage=managed.name,
            reference=metadata.reference,
            kind=metadata.type,
            is_stateful=metadata.stateful,
            cases=cases,
            masked=sum(one != other for one, other in zip(cases, recording.cases, strict=True)),
            left_out=recording.left_out,
            origin=candidate.origin(),
        )

    def _recordable(self, name: str) -> str:
        stages = self.named(name)
        if len(stages) > 1:
            raise UsageError(
                f"expected a stage, got the plugin `{name}` of {len(stages)} stages",
                code="record.not_a_stage",
                hint=f"name one of them: {', '.join(f'`{stage}`' for stage in stages)}",
            )
        if self.handle(stages[0]).metadata().type == "source":
            raise UsageError(
                f"expected a processor or consumer, got the source `{name}`",
                code="record.not_a_stage",
                hint="record the stage behind it: what it is given is what the source reads",
            )
        return stages[0]

    async def reload(self, name: str, *, reason: str = "command") -> list[ReloadReport]:
        """Put what a plugin is made from now in its place; return a report for each stage.

        Args:
            name: A stage, or a listed plugin.
            reason: Why, for the events.

        A reload that has begun goes on to its end, also where its caller is gone.

        Raises:
            UnknownPlugin: There is no such plugin.
            ReloadRefused: The run ends.
        """
        return [await self._reload_through(stage, reason) for stage in self.named(name)]

    async def _reload_through(self, name: str, reason: str) -> ReloadReport:
        ended = ReloadRefused(f"`{name}` is not reloaded: the run ends")
        if self._background.has_ended:
            raise ended
        task = self._background.spawn(self._plugins[name].reload(reason))
        try:
            report: ReloadReport = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._background.has_ended:
                raise ended from None
            raise
        return report

    def _unknown(self, name: str) -> UnknownPlugin:
        known = [*self._plugins, *(e.managed.plugin for e in self._plugins.values())]
        near = get_close_matches(name, known, n=1)
        return UnknownPlugin(
            f"the pipeline has no plugin `{name}`",
            hint=f"did you mean `{near[0]}`?" if near else "`flowctl plugin list` shows them",
        )
