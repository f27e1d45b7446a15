"""Keep one plugin up: reload it, watch the new version for a while, replace what is unhealthy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from cdp_pipeline.manager.background import Background
from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.handles import ManagedSource
from cdp_pipeline.manager.health import HealthWatch
from cdp_pipeline.manager.instance import Candidate, Instance, Renew
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.probation import Probation
from cdp_pipeline.manager.reloading import Reload, Unfit
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import ReloadReport
from cdp_pipeline.observability.logs import logger
from cdpplugin import PluginMetadata


class Upkeep:
    """What is done for one plugin beside its work, one thing at a time.

    Args:
        managed: The plugin.
        renew: Looks again at what it is made from; without it a reload takes the same again.
        admit: Refuses a version for which there is no room.
        background: Where goes what nobody waits for.
        settings: How plugins are managed.
    """

    def __init__(
        self,
        managed: Managed,
        renew: Renew | None,
        admit: Callable[[PluginMetadata], None],
        background: Background,
        settings: ManagerSettings,
    ) -> None:
        self.managed = managed
        self._renew = renew
        self._admit = admit
        self._background = background
        self._settings = settings
        self._health = HealthWatch(managed, settings)
        self._turn = asyncio.Lock()
        self._replaced: deque[float] = deque()
        self._is_unloaded = False

    async def unload(self) -> None:
        """Stop the plugin, once a reload in progress has ended.

        Raises:
            PluginError: It failed to stop.
        """
        self._is_unloaded = True
        async with self._turn:
            await self.managed.stop()

    async def _renewed(self) -> Candidate:
        """Return what the plugin is made from now."""
        return self.managed.current.candidate if self._renew is None else await self._renew()

    async def reload(self, reason: str) -> ReloadReport:
        """Put what the plugin is made from now in its place, and say how that went."""
        managed = self.managed
        async with self._turn:
            if self._is_unloaded:
                raise ReloadRefused(f"`{managed.name}` has been unloaded")
            managed.note("reload_began", "reloading the plugin", why=reason)
            await self._confirm()
            reload = self._reload_of()
            report = await reload.run(self._renewed)
            if report.outcome == "switched":
                managed.reloads += 1
                managed.note("reload_switched", "the new version works", **_facts(report))
                await self._observe(reload)
            else:
                kind = "reload_refused" if report.outcome == "refused" else "rolled_back"
                managed.note(kind, "the old version goes on", **_facts(report))
        return report

    def _reload_of(self) -> Reload:
        end = self._background.retire
        return Reload(self.managed, self._settings, admit=self._admit, end=end)

    async def _observe(self, reload: Reload) -> None:
        """Keep the old version beside the new one for a while, where that can be."""
        old, new, managed = reload.old, _new(reload), self.managed
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
        self._background.spawn(self._probe(probation))

    async def _probe(self, probation: Probation) -> None:
        try:
            async with asyncio.timeout(self._settings.probation_s):
                await probation.ended.wait()
        except TimeoutError:
            async with self._turn:
                if self.managed.probation is probation:
                    await self._confirm()

    async def _confirm(self) -> None:
        """End the probation of a plugin, if there is one: the new version stays."""
        managed, probation = self.managed, self.managed.probation
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

    async def watch_health(self) -> None:
        """Ask the plugin how it is, from time to time, and act upon it; until cancelled."""
        while not self._is_unloaded:
            try:
                await self._heed_health()
            except Exception as error:  # a fault of the host; the next check is made all the same
                log = logger(stage=self.managed.name)
                log.error("the plugin's health was not heeded", error=repr(error))
            await asyncio.sleep(self._settings.health_interval_s)

    async def _heed_health(self) -> None:
        has_fallen_ill = await self._health.check()
        managed = self.managed
        if managed.current.state != "unhealthy":
            return
        probation = managed.probation
        if has_fallen_ill and probation is not None and probation.new is managed.current:
            probation.fail(Unfit.code, probation.new.reason)
        else:
            await self._replace()

    async def _replace(self) -> None:
        """Put a new instance of the same version in an unhealthy one's place."""
        managed, settings = self.managed, self._settings
        metadata = managed.metadata()
        if metadata.type != "processor" or metadata.stateful or managed.not_reloadable:
            return
        window_s = settings.replacement_window_s
        while self._replaced and self._replaced[0] < monotonic() - window_s:
            self._replaced.popleft()
        count = len(self._replaced)
        if count >= settings.max_replacements:
            managed.quarantine(f"replaced {count} times within {window_s:g} s, still unhealthy")
            return
        await asyncio.sleep(settings.replacement_delay_s * 2**count if count else 0.0)
        async with self._turn:
            if managed.current.state != "unhealthy":
                return
            self._replaced.append(monotonic())
            reload = self._reload_of()
            report = await reload.run(_again(managed.current.candidate))
            if report.outcome != "switched":
                managed.note(
                    "rolled_back", "an unhealthy instance could not be replaced", **_facts(report)
                )
                return
            managed.replacements += 1
            managed.note("replaced", "an unhealthy instance was replaced", **_facts(report))
            await self._background.retire(reload.old)


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
