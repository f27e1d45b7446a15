"""A plugin that is being written: built, started, and replaced after each save.

A new version takes over as in a running pipeline, by a hot reload. Where that cannot be, since
the plugin keeps a state or takes other messages now, it is stopped and started anew.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from cdp_pipeline.manager.status import ReloadReport
from cdp_pipeline.testing.solo import Solo


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """How a new version came to work; times in seconds.

    Attributes:
        build_s: What the build took; None where there was nothing to build.
        start_s: What the start, or the reload, took.
        report: How the reload went; None where the plugin was started anew.
    """

    build_s: float | None
    start_s: float
    report: ReloadReport | None = None

    @property
    def has_switched(self) -> bool:
        """Whether the new version works."""
        return self.report is None or self.report.outcome == "switched"


class Session:
    """One plugin at work.

    Args:
        find: Looks for the plugin, as it is now.
        on_build: Called with its `name@version` when a build begins.

    Attributes:
        find: Looks for the plugin, as it is now.
        solo: The plugin; None until it was found.
        handle: What executes it; None while it does not run.
    """

    def __init__(
        self, find: Callable[[], Awaitable[Solo]], on_build: Callable[[str], None]
    ) -> None:
        self.find = find
        self._on_build = on_build
        self._stack = AsyncExitStack()
        self.solo: Solo | None = None
        self.handle: Any = None

    async def renew(self) -> Renewed:
        """Build the plugin and put it to work, or in the place of its older version.

        Raises:
            CdpError: It cannot be built, or does not start. The older one goes on, if there is one.
        """
        solo = self.solo
        if solo is None or self.handle is None or self.handle.metadata().stateful:
            return await self.restart()
        build_s = await self._built(solo)
        [report] = await solo.manager.reload(solo.name)
        if report.outcome == "refused":
            return await self.restart()
        return Renewed(build_s=build_s, start_s=report.timings_s["total"], report=report)

    async def restart(self) -> Renewed:
        """Build the plugin, stop what runs, and start it.

        Raises:
            CdpError: It cannot be built, or does not start.
        """
        solo = await self.find()
        is_first = self.solo is None
        build_s = None if is_first and solo.is_built else await self._built(solo)
        await self.stop()
        self.solo = solo
        begun_s = time.monotonic()
        self.handle = await self._stack.enter_async_context(solo.started())
        return Renewed(build_s=build_s, start_s=time.monotonic() - begun_s)

    async def stop(self) -> None:
        """Stop what runs."""
        self.handle = None
        await self._stack.aclose()

    async def _built(self, solo: Solo) -> float | None:
        """Build *solo* where there is something to build; return the seconds that it took."""
        manifest = solo.manifest
        if manifest is None or not (manifest.build or solo.builder.environment_of(manifest)):
            return None
        self._on_build(manifest.metadata().reference)
        begun_s = time.monotonic()
        await solo.build()
        return time.monotonic() - begun_s
