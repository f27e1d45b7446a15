"""Put a new version in a running plugin's place: beside the old one, then instead of it.

The new instance is loaded, configured, started, asked how it is and tried with the plugin's own
cases while the old one works. Only then does it take over, between two parcels. Whatever fails
before that ends the new instance, and nothing else has happened.

A plugin with a state, and a consumer that keeps a position, cannot have two instances at work:
there the old one comes to rest first, and is started again if the new one does not start. One
that cannot give its state without being ended is asked for it only once another instance of the
new version has been seen to start: what it was made from may be gone by then.

Invariant 17: a reload ends with an instance that works, the new one or the old one as it was, or
the run ends and loses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from cdp_pipeline.artifacts.cases import CaseAnswer
from cdp_pipeline.errors import CdpError
from cdp_pipeline.manager.compatible import (
    ReloadRefused,
    require_compatible,
    require_same_stream,
)
from cdp_pipeline.manager.consuming import ManagedConsumer
from cdp_pipeline.manager.instance import Instance, Renew
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.settings import ManagerSettings
from cdp_pipeline.manager.status import Outcome, ReloadReport
from cdpplugin import Fatal, PluginError, PluginMetadata
from cdpplugin.function import as_plugin_error


class Unfit(PluginError):
    """A new version is not what it should be."""

    code = "plugin.unfit"
    hint = "mend the new version; the old one goes on"


class Reload:
    """One reload of one plugin.

    Args:
        managed: The plugin.
        settings: How long the steps may take.
        admit: Refuses a version for which there is no room.
        end: Ends an instance that works for nobody any more, whoever is cancelled meanwhile.

    Attributes:
        old: The instance that works.
        new: The one that is to take over; None until it is loaded.
    """

    def __init__(
        self,
        managed: Managed,
        settings: ManagerSettings,
        *,
        admit: Callable[[PluginMetadata], None],
        end: Callable[[Instance], Awaitable[None]],
    ) -> None:
        self.old = managed.current
        self.new: Instance | None = None
        self._managed = managed
        self._settings = settings
        self._before = managed.metadata().reference
        self._admit = admit
        self._end = end
        self._gives_state = False
        self._state: bytes | None = None
        self._step = "load"
        self._timings: dict[str, float] = {}

    async def run(self, renew: Renew) -> ReloadReport:
        """Try it; whatever happens, an instance works afterwards, and the report says which."""
        begun_s = time.monotonic()
        try:
            await self._tried(renew)
            report = self._report("switched")
        except Exception as error:
            await self._end_new()
            refused = isinstance(error, ReloadRefused)
            report = self._report("refused" if refused else "rolled_back", error)
        except BaseException:  # the run ends meanwhile
            await self._end_new()
            raise
        self._timings["total"] = round(time.monotonic() - begun_s, 4)
        return report

    async def _tried(self, renew: Renew) -> None:
        managed = self._managed
        if managed.not_reloadable:
            raise ReloadRefused(managed.not_reloadable)
        with self._timed("load"):
            new = self.new = await Instance.load(await renew())
            require_compatible(self.old.metadata, new.metadata)
            self._require_state(new)
            self._admit(new.metadata)
        limit_s = self._settings.reload_timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                with self._timed("configure"):
                    await new.configure()
                if await self._is_exclusive():
                    await self._take_over_alone(new)
                else:
                    await self._take_over(new)
        except TimeoutError:
            if limit.expired():
                raise Unfit(f"the new version was not ready within {limit_s:g} s") from None
            raise

    def _require_state(self, new: Instance) -> None:
        """Refuse to lose a state."""
        if not new.metadata.stateful:
            return
        if self.old.state in ("quarantined", "stopped"):
            raise ReloadRefused(
                "the plugin's state is lost, a new version cannot go on from it",
                hint="run the pipeline again: it goes on from the checkpoint",
            )
        for instance in (self.old, new):
            if not getattr(instance.handle, "keeps_state", False):
                raise ReloadRefused(
                    f"{instance.reference} is stateful and does not hand its state over",
                    hint="give it `export_state` and `import_state`",
                )

    async def _is_exclusive(self) -> bool:
        """Tell whether the old instance must come to rest before the new one starts."""
        if self.old.metadata.stateful:
            return True
        managed = self._managed
        return isinstance(managed, ManagedConsumer) and await _keeps_position(managed)

    async def _take_over(self, new: Instance) -> None:
        managed = self._managed
        assert managed.context is not None
        with self._timed("start"):
            await new.start(managed.context)
        await self._require_sound(new)
        with self._timed("switch"):
            if isinstance(managed, ManagedConsumer):
                async with managed.closed():
                    await managed.flush_now(self.old)
                    managed.switch(new)
            else:
                managed.switch(new)

    async def _take_over_alone(self, new: Instance) -> None:
        managed = self._managed
        assert managed.context is not None
        if self._ends_for_its_state:
            await self._try_without_state(new)
        with self._timed("switch"):
            async with managed.closed():
                try:
                    state = await self._rested()
                    with self._timed("start"):
                        await new.start(managed.context, state)
                    await self._require_sound(new)
                except BaseException as error:
                    await self._end_new()  # first: the two may not be at work together
                    await self._restore(error)
                    raise
                managed.switch(new)

    async def _rested(self) -> bytes | None:
        """Bring the old instance to rest; return its state, if it has one."""
        if isinstance(self._managed, ManagedConsumer):
            await self._managed.flush_now(self.old)
            await self._end(self.old)
            return None
        self._gives_state = True
        self._state = await self.old.handle.export_state()
        return self._state

    async def _restore(self, failure: BaseException) -> None:
        """Let the old version work again after *failure*.

        Raises:
            Fatal: It does not start either, or its state is lost; the run cannot go on.
        """
        old = self.old
        is_stopped_by_it = self._gives_state and self._ends_for_its_state
        if not is_stopped_by_it and not old.is_ending:
            return
        await self._end(old)
        again: Instance | None = None
        try:
            if self._gives_state and self._state is None:
                raise Unfit(f"{self._before} has not given its state: {failure}")
            again = await Instance.load(old.candidate)
            await self._begin(again)
        except BaseException as error:
            old.reason = str(error)
            if again is not None:
                await self._end(again)
            if not isinstance(error, Exception):
                raise
            raise Fatal(
                f"neither the new version nor {self._before} can go on: {error}",
                code="plugin.start_failed",
                hint="mend the plugin, and run the pipeline again",
            ) from error
        self._managed.switch(again)

    @property
    def _ends_for_its_state(self) -> bool:
        """Whether the old instance is stopped by being asked for its state."""
        return self.old.metadata.stateful and not hasattr(self.old.handle, "import_state")

    async def _try_without_state(self, new: Instance) -> None:
        """See another instance of the new version start, before the old one is ended for it."""
        assert self._managed.context is not None
        trial = await Instance.load(new.candidate)
        try:
            await trial.configure()
            with self._timed("start"):
                await trial.start(self._managed.context)
            await self._require_sound(trial)
        finally:
            await self._end(trial)

    async def _begin(self, again: Instance) -> None:
        """Start the old version anew.

        Raises:
            Unfit: What it was made from is not there any more.
        """
        assert self._managed.context is not None
        if again.reference != self._before:
            raise Unfit(f"where {self._before} was, there is {again.reference}")
        await again.configure()
        await again.start(self._managed.context, self._state)

    async def _require_sound(self, new: Instance) -> None:
        """Ask a started instance how it is, and try it with its cases.

        Raises:
            Unfit: It is not healthy, or answers something else.
        """
        with self._timed("health"):
            status = await new.handle.health()
            if status.status == "unhealthy":
                raise Unfit(f"{new.reference} is unhealthy: {status.message}")
            if new.metadata.type == "source":
                require_same_stream(
                    await self.old.handle.describe(), await new.handle.describe(), new.reference
                )
        cases = () if new.metadata.stateful else new.candidate.cases
        if not cases or new.metadata.type != "processor":
            return
        with self._timed("self-test"):
            for case in cases:
                outputs = await new.handle.process_batch(case.inputs())
                for mismatch in case.mismatches(CaseAnswer.of(outputs)):
                    raise Unfit(f"{new.reference} fails its case `{case.name}`: {mismatch}")

    async def _end_new(self) -> None:
        if self.new is not None:
            await self._end(self.new)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        self._step, begun_s = step, time.monotonic()
        try:
            yield
        finally:
            self._timings[step] = round(time.monotonic() - begun_s, 4)

    def _report(self, outcome: Outcome, error: Exception | None = None) -> ReloadReport:
        told = error if isinstance(error, (CdpError, PluginError)) else None
        if error is not None and told is None:
            told = as_plugin_error(error)
        return ReloadReport(
            plugin=self._managed.name,
            before=self._before,
            after=self.new.reference if self.new else "",
            outcome=outcome,
            step="" if error is None else self._step,
            code=told.code if told else "",
            error=str(told) if told else "",
            hint=told.hint if told else "",
            timings_s=self._timings,
        )


async def _keeps_position(managed: ManagedConsumer) -> bool:
    """Tell whether a consumer says itself how far it is durable."""
    try:
        return await managed.durable_position() is not None
    except Exception:
        return False
