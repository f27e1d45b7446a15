"""A handle that stays while the instance behind it is replaced.

Invariant 16: a message is processed wholly by one instance, and instances take over between
parcels: after the first parcel of a new one no parcel goes to an old one, unless it is rolled
back. What has failed is repeated by the instance that is there then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.probation import Probation
from cdp_pipeline.manager.recording import Recording
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import PluginStatus
from cdp_pipeline.runtimes.lost import PluginLost
from cdpplugin import Context, HealthStatus, PluginError, PluginMetadata


class NotAtRest(PluginError):
    """Calls of a plugin that is to be replaced go on for too long."""

    code = "plugin.not_at_rest"
    hint = "reload it again when it has less to do"


class Managed:
    """What the handle of every kind has.

    Attributes:
        name: The stage.
        plugin: The name under `plugins`, or the component's type.
        runtime: What executes it, as the status shows it.
        current: The instance that is asked.
        context: What it was started with; None before.
        health_status: What it said of its health last.
        calls: Calls answered.
        rows: Rows handed over.
        failed_rows: Rows that came back as errors, or with a call that failed.
        replacements: Instances replaced because they were unhealthy.
        reloads: New versions that took over.
        not_reloadable: Why it cannot be reloaded; else empty.
        recording: What records what it is asked and answers; None while nothing does.
    """

    def __init__(
        self,
        name: str,
        plugin: str,
        instance: Instance,
        *,
        runtime: str,
        settings: ManagerSettings,
        events: EventLog,
        not_reloadable: str = "",
    ) -> None:
        self.name = name
        self.plugin = plugin
        self.runtime = runtime
        self.current = instance
        self.context: Context | None = None
        self.health_status: HealthStatus | None = None
        self.calls = self.rows = self.failed_rows = 0
        self.replacements = self.reloads = 0
        self.not_reloadable = not_reloadable
        self.probation: Probation | None = None
        self.recording: Recording | None = None
        self._settings = settings
        self._events = events
        self._open = asyncio.Event()
        self._open.set()
        self._changed = asyncio.Event()
        self._hurried = asyncio.Event()

    def metadata(self) -> PluginMetadata:
        """Return what the present instance says of itself."""
        return self.current.metadata

    def __getattr__(self, name: str) -> Any:
        """Offer what the present instance offers beside the contract."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.current.handle, name)

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Hand over the configuration; the instance's own, which was made from *config*."""
        await self.current.configure()

    async def start(self, context: Context) -> None:
        """Start the first instance; one whose start failed may be told again."""
        if self.current.state == "starting":
            await self.current.handle.start(context)
            self.current.move("running")
        else:
            await self.current.start(context)
        self.context = context
        self.note("state", "the plugin runs", state="running")

    async def stop(self) -> None:
        """Stop the present instance, and the one that waits beside it."""
        probation, self.probation = self.probation, None
        try:
            if probation is not None:
                probation.ended.set()
                await self._stop_quietly(probation.old)
        finally:
            await self.current.stop()

    async def health(self) -> HealthStatus:
        """Ask the present instance how it is."""
        status: HealthStatus = await self.current.handle.health()
        return status

    def status(self) -> PluginStatus:
        """Return how it is."""
        metadata, current, said = self.metadata(), self.current, self.health_status
        return PluginStatus(
            name=self.name,
            plugin=self.plugin,
            reference=metadata.reference,
            kind=metadata.type,
            runtime=self.runtime,
            state=current.state,
            reason=current.reason,
            since=current.since,
            health=said.status if said else "unknown",
            health_message=said.message if said else "",
            confinement=getattr(current.handle, "confinement", {}),
            in_flight=current.in_flight,
            calls=self.calls,
            rows=self.rows,
            failed_rows=self.failed_rows,
            replacements=self.replacements,
            reloads=self.reloads,
            on_probation=self.probation is not None,
            is_reloadable=not self.not_reloadable,
        )

    def note(self, kind: Any, message: str, **details: Any) -> None:
        """Add an event of this plugin."""
        self._events.note(self.name, self.current.reference, kind, message, **details)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Instance]:
        """Give the instance to be asked now, which is not stopped meanwhile."""
        instance, hold = await self.admitted()
        try:
            yield instance
        finally:
            instance.release(hold)

    async def admitted(self) -> tuple[Instance, object]:
        """Return the instance to be asked now, and the hold that keeps it.

        Raises:
            PluginLost: It has ended, and no other one took its place.
        """
        while not self._open.is_set():
            await self._open.wait()
        instance = self.current
        if instance.state == "stopped":
            raise PluginLost(f"plugin `{instance.reference}` has ended: {instance.reason}")
        return instance, instance.hold()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Let no new call begin, once those in progress have ended.

        Raises:
            NotAtRest: They have not ended in time.
        """
        self._open.clear()
        try:
            await self._at_rest(self.current)
            yield
        finally:
            self._open.set()

    async def _at_rest(self, instance: Instance) -> None:
        """Wait for the calls in progress; those of a plugin that is lost wait for another one."""
        limit_s = self._settings.drain_timeout_s
        settled = await instance.settled(limit_s, lambda: instance.is_serving)
        if not settled and instance.is_serving:
            raise NotAtRest(f"{instance.reference} has not ended its calls within {limit_s:g} s")

    def switch(self, new: Instance) -> None:
        """Let *new* be asked from now on."""
        self.current = new
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def changed(self) -> asyncio.Event:
        """Set when another instance takes over; a new one each time."""
        return self._changed

    def quarantine(self, reason: str) -> None:
        """Take the present instance out of service; a reload brings the plugin back."""
        if self.current.is_serving:
            self.current.move("quarantined", reason)
            self.note("quarantined", "the plugin is out of service", reason=reason)

    async def brought_back(self, lost: Instance, error: Exception) -> bool:
        """Tell, after *lost* failed with *error*, whether another instance can be asked instead.

        A plugin that is lost goes into quarantine, and is waited for as long as the settings say.
        What a stateful one had gathered does not come back: nobody waits for it.
        """
        if self.metadata().stateful:
            return False
        if lost is not self.current and lost.is_ending:
            return True
        if not isinstance(error, PluginLost):
            return False
        changed = self.changed
        if lost is self.current:
            self.quarantine(str(error))
            if not self.can_be_brought_back:
                return False
            await self._wait_for(changed)
        return lost is not self.current

    async def _wait_for(self, changed: asyncio.Event) -> None:
        """Wait for another instance, as long as the settings say and the run is not to stop."""
        waiting = [asyncio.ensure_future(each.wait()) for each in (changed, self._hurried)]
        try:
            await asyncio.wait(
                waiting,
                timeout=self._settings.quarantine_wait_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for each in waiting:
                each.cancel()

    def hurry(self) -> None:
        """Wait for no other instance, now and from now on: the run is to stop."""
        self._hurried.set()

    @property
    def can_be_brought_back(self) -> bool:
        """Whether another instance can go on where this one was lost."""
        return not self.metadata().stateful

    @staticmethod
    async def _stop_quietly(instance: Instance) -> None:
        try:
            await instance.stop()
        except Exception:
            instance.ended()
