"""What the host's settings mean for its plugins, and which changed file means which plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.errors import CdpError
from cdp_pipeline.host.components import Component
from cdp_pipeline.host.renewal import Renewal
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.watching import Place, changes
from cdp_pipeline.observability.logs import logger

_PIPELINE = ""
"""Name of the pipeline file among the places that are watched; no stage is called so."""
_AGAIN_S = 10.0
"""Wait before files are watched again after that has failed, in seconds."""


def manager_settings(settings: HostSettings) -> ManagerSettings:
    """Return how plugins are managed, by the host's settings."""
    return ManagerSettings(
        health_interval_s=settings.health_interval,
        unhealthy_threshold=settings.unhealthy_threshold,
        max_plugins=settings.max_plugins,
        probation_s=settings.reload_window,
        quarantine_wait_s=settings.quarantine_wait,
    )


async def watch_files(
    manager: PluginManager,
    renewal: Renewal,
    config: PipelineConfig,
    components: Sequence[Component],
    settings: HostSettings,
) -> None:
    """Reload plugins whose files or configuration change, until cancelled."""
    places = _places(config, components)
    if not settings.hot_reload or not places:
        return
    watch = await asyncio.to_thread(_Watch, manager, renewal, components, places)
    while True:
        try:
            async for names in changes(places, settings.reload_debounce):
                await watch.heed(names)
        except Exception as error:  # such as: the system watches no more files
            logger(pipeline=config.name).error(
                "watching files has failed, trying again", error=repr(error), wait_s=_AGAIN_S
            )
        await asyncio.sleep(_AGAIN_S)


def _places(config: PipelineConfig, components: Sequence[Component]) -> dict[str, Path]:
    """Return what is watched: files of plugins that can be reloaded, and the pipeline's own."""
    reloadable = [c for c in components if not c.found.not_reloadable]
    places = {c.name: c.found.place.absolute() for c in reloadable if c.found.place is not None}
    if reloadable and config.file.is_file():
        places[_PIPELINE] = config.file.absolute()
    return places


class _Watch:
    """Turns changed files into reloads."""

    def __init__(
        self,
        manager: PluginManager,
        renewal: Renewal,
        components: Sequence[Component],
        places: Mapping[str, Path],
    ) -> None:
        self._manager = manager
        self._renewal = renewal
        self._components = {c.name: c for c in components if not c.found.not_reloadable}
        self._places = {name: Place(path) for name, path in places.items()}

    async def heed(self, names: set[str]) -> None:
        """Reload the plugins that these places mean, where their content is another one."""
        changed = [n for n in names if await asyncio.to_thread(self._places[n].has_changed)]
        if _PIPELINE in changed:
            changed.remove(_PIPELINE)
            changed += [n for n in await self._reconfigured() if n not in changed]
        for name in changed:
            self._manager.handle(name).note("files_changed", "the plugin has changed")
            try:
                await self._manager.reload(name, reason="change")
            except CdpError as error:
                logger(stage=name).warning("the plugin is not reloaded", error=str(error))
            if name in self._places:
                await asyncio.to_thread(self._places[name].accept_new)

    async def _reconfigured(self) -> list[str]:
        """Return the stages for which the pipeline file says something else than before."""
        found = []
        for name, before in self._components.items():
            try:
                now = await asyncio.to_thread(self._renewal.again, before)
            except Exception as error:
                logger(stage=name).warning(
                    "the changed pipeline file is not used", error=str(error)
                )
                continue
            if _terms(now) != _terms(before):
                self._components[name] = now
                found.append(name)
        return found


def _terms(component: Component) -> tuple[object, ...]:
    """Return what of a component a pipeline file says and a reload can change."""
    return dict(component.config), component.found.plugin
