"""The plugins of one running pipeline: loaded, started, watched, replaced, stopped.

manager = PluginManager(ManagerSettings())
handle = await manager.load("enrich", "enrich", candidate)     # what the engine is given
...                                                             # configure and start it
reports = await manager.reload("enrich")                        # another instance, same handle
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from time import monotonic
from typing import Any

from cdp_pipeline.errors import CdpError
from cdp_pipeline.manager.admission import Machine, admit
from cdp_pipeline.manager.background import Background
from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.handles import MANAGED, ManagedSource
from cdp_pipeline.manager.health import HealthWatch
from cdp_pipeline.manager.instance import Candidate, Instance, Renew
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.probation import Probation
from cdp_pipeline.manager.reloading import Reload, Unfit
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import PluginStatus, ReloadReport
from cdp_pipeline.observability.logs import logger
from cdpplugin import PluginMetadata


class UnknownPlugin(CdpError):
    """No plugin of the pipeline has this name."""

    code = "plugin.unknown"
    exit_code = 2


class PluginManager:
    """The plugins of one pipeline.

    Attributes:
        events: What has happened to them.
    """

    def __init__(self, settings: ManagerSettings, machine: Machine | None = None) -> None:
        self.events = EventLog()
        self._settings = settings
        self._machine = machine or Machine.this()
        self._plugins: dict[str, _Entry] = {}
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
        self._plugins[name] = _Entry(managed, renew, HealthWatch(managed, self._settings))
        return managed

    def handle(self, name: str) -> Managed:
        """Return the handle of stage *name*.

        Raises:
            UnknownPlugin: There is no such stage.
        """
        if name not in self._plugins:
            raise self._unknown(name)
        return self._plugins[name].managed

    def watch(self) -> None:
        """Ask every plugin how it is, from now on, until `end`."""
        for name in self._plugins:
            self._background.spawn(self._watch_health(name))

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
        managed = self.handle(name)
        entry = self._plugins.pop(name)
        async with entry.turn:
            await managed.stop()

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
        task = self._background.spawn(self._reload(name, reason))
        try:
            report: ReloadReport = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._background.has_ended:
                raise ended from None
            raise
        return report

    async def _reload(self, name: str, reason: str) -> ReloadReport:
        entry = self._plugins[name]
        managed = entry.managed
        async with entry.turn:
            if self._plugins.get(name) is not entry:
                raise self._unknown(name)
            managed.note("reload_began", "reloading the plugin", why=reason)
            await self._confirm(entry)
            reload = self._reload_of(managed)
            report = await reload.run(entry.renewed)
            if report.outcome == "switched":
                managed.reloads += 1
                managed.note("reload_switched", "the new version works", **_facts(report))
                await self._observe(entry, reload)
            else:
                kind = "reload_refused" if report.outcome == "refused" else "rolled_back"
                managed.note(kind, "the old version goes on", **_facts(report))
        return report

    def _reload_of(self, managed: Managed) -> Reload:
        admit = partial(self._admit, managed.name)
        return Reload(managed, self._settings, admit=admit, end=self._background.retire)

    async def _observe(self, entry: _Entry, reload: Reload) -> None:
        """Keep the old version beside the new one for a while, where that can be."""
        old, new, managed = reload.old, _new(reload), entry.managed
        if old.state != "running" or old.metadata.stateful or not self._settings.probation_s:
            await self._background.retire(old)
            return

        def back(failed: Instance, code: str, why: str) -> None:
            managed.probation = None
            managed.switch(old)
            managed.note(
                "rolled_back",
                "the old version works again",
                code=code,
                reason=why,
                failed=failed.reference,
            )
            self._background.spawn(self._background.retire(failed))

        probation = managed.probation = Probation(old, new, back)
        self._background.spawn(self._probe(entry, probation))

    async def _probe(self, entry: _Entry, probation: Probation) -> None:
        try:
            async with asyncio.timeout(self._settings.probation_s):
                await probation.ended.wait()
        except TimeoutError:
            async with entry.turn:
                if entry.managed.probation is probation:
                    await self._confirm(entry)

    async def _confirm(self, entry: _Entry) -> None:
        """End the probation of a plugin, if there is one: the new version stays."""
        managed, probation = entry.managed, entry.managed.probation
        if probation is None:
            return
        if not isinstance(managed, ManagedSource):  # which is held for as long as it is read
            await probation.new.settled(self._settings.drain_timeout_s)
        if managed.probation is not probation:
            return
        managed.probation = None
        probation.ended.set()
        managed.note("reload_confirmed", "the new version stays")
        await self._background.retire(probation.old)

    async def _watch_health(self, name: str) -> None:
        entry = self._plugins[name]
        while self._plugins.get(name) is entry:
            await asyncio.sleep(self._settings.health_interval_s)
            try:
                await self._heed_health(entry)
            except Exception as error:  # a fault of the host; the next check is made all the same
                logger(stage=name).error("the plugin's health was not heeded", error=repr(error))

    async def _heed_health(self, entry: _Entry) -> None:
        has_fallen_ill = await entry.health.check()
        managed = entry.managed
        if managed.current.state != "unhealthy":
            return
        probation = managed.probation
        if has_fallen_ill and probation is not None and probation.new is managed.current:
            probation.fail(Unfit.code, probation.new.reason)
        else:
            await self._replace(entry)

    async def _replace(self, entry: _Entry) -> None:
        """Put a new instance of the same version in an unhealthy one's place."""
        managed, settings = entry.managed, self._settings
        metadata = managed.metadata()
        if metadata.type != "processor" or metadata.stateful or managed.not_reloadable:
            return
        window_s = settings.replacement_window_s
        while entry.replaced and entry.replaced[0] < monotonic() - window_s:
            entry.replaced.popleft()
        count = len(entry.replaced)
        if count >= settings.max_replacements:
            managed.quarantine(f"replaced {count} times within {window_s:g} s, still unhealthy")
            return
        await asyncio.sleep(settings.replacement_delay_s * 2**count if count else 0.0)
        async with entry.turn:
            if managed.current.state != "unhealthy":
                return
            entry.replaced.append(monotonic())
            reload = self._reload_of(managed)
            report = await reload.run(_again(managed.current.candidate))
            if report.outcome != "switched":
                managed.note(
                    "rolled_back", "an unhealthy instance could not be replaced", **_facts(report)
                )
                return
            managed.replacements += 1
            managed.note("replaced", "an unhealthy instance was replaced", **_facts(report))
            await self._background.retire(reload.old)

    def _unknown(self, name: str) -> UnknownPlugin:
        known = [*self._plugins, *(e.managed.plugin for e in self._plugins.values())]
        near = get_close_matches(name, known, n=1)
        return UnknownPlugin(
            f"the pipeline has no plugin `{name}`",
            hint=f"did you mean `{near[0]}`?" if near else "`flowctl plugin list` shows them",
        )


class _Entry:
    """What the manager keeps of one plugin."""

    def __init__(self, managed: Managed, renew: Renew | None, health: HealthWatch) -> None:
        self.managed = managed
        self.health = health
        self.turn = asyncio.Lock()
        self.replaced: deque[float] = deque()
        self._renew = renew

    async def renewed(self) -> Candidate:
        """Return what the plugin is made from now."""
        return self.managed.current.candidate if self._renew is None else await self._renew()


def _new(reload: Reload) -> Instance:
    """Return the instance that took over."""
    assert reload.new is not None
    return reload.new


def _again(candidate: Candidate) -> Renew:
    async def same() -> Candidate:
        return candidate

    return same


def _facts(report: ReloadReport) -> dict[str, Any]:
    """Return what of a report belongs into an event."""
    facts: dict[str, Any] = {"before": report.before, "after": report.after}
    if report.error:
        facts |= {"step": report.step, "code": report.code, "error": report.error}
    return facts | {"timings_s": dict(report.timings_s)}
