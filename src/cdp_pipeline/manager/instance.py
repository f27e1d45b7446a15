"""One instance of a plugin: its handle, where it is in its life, what it has in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cdp_pipeline.artifacts.cases import Case
from cdp_pipeline.manager.lifecycle import Lifecycle, State
from cdpplugin import Context, PluginMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What an instance of a plugin is made from.

    Attributes:
        launch: Makes a handle that takes so many calls at once; nothing is configured yet.
        config_of: The configuration for a plugin that says this of itself, checked.
        workers: Calls at once.
        cases: What the plugin must answer before it is trusted.
        origin: Tells what a file would say to make the same; secret values as variables.
        masked: Hides the pipeline's secrets in a text.
    """

    launch: Callable[[int], Awaitable[Any]]
    config_of: Callable[[PluginMetadata], Mapping[str, Any]] = field(repr=False)
    workers: int = 1
    cases: Sequence[Case] = ()
    origin: Callable[[], Mapping[str, Any]] = field(default=dict, repr=False)
    masked: Callable[[str], str] = field(default=str, repr=False)


Renew = Callable[[], Awaitable[Candidate]]
"""Looks again at what a plugin is made from: its files and its configuration as they are now."""


class Instance:
    """One instance.

    Attributes:
        handle: What executes it.
        candidate: What it was made from.
        since: When it came into its present state, ISO 8601 in UTC.
        reason: Why it is not running as it should; else empty.
        is_given_up: Whether it was rolled back: whoever holds it still is to ask another one.
    """

    def __init__(self, handle: Any, candidate: Candidate) -> None:
        self.handle = handle
        self.candidate = candidate
        self.reason = ""
        self.since = _now()
        self.is_given_up = False
        self._lifecycle = Lifecycle(self.reference)
        self._holds: set[object] = set()
        self._released = asyncio.Event()
        self._stopping: asyncio.Future[None] | None = None

    @classmethod
    async def load(cls, candidate: Candidate) -> Instance:
        """Return a new instance; nothing is configured yet.

        Raises:
            CdpError: It cannot be loaded.
        """
        return cls(await candidate.launch(candidate.workers), candidate)

    @property
    def metadata(self) -> PluginMetadata:
        """What the plugin says of itself."""
        metadata: PluginMetadata = self.handle.metadata()
        return metadata

    @property
    def reference(self) -> str:
        """`name@version`."""
        return self.metadata.reference

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._lifecycle.state

    @property
    def is_serving(self) -> bool:
        """Whether it is asked for answers."""
        return self._lifecycle.is_serving

    def move(self, state: State, reason: str = "") -> None:
        """Go on to *state*.

        Raises:
            TransitionRefused: It may not follow the present one.
        """
        self._lifecycle.move(state)
        self.reason, self.since = reason, _now()
        self._released.set()

    async def configure(self) -> None:
        """Hand over the configuration.

        Raises:
            ConfigError: It does not fit what the plugin says of itself.
            ConfigInvalid: The plugin refuses it.
        """
        await self.handle.configure(self.candidate.config_of(self.metadata))
        self.move("configured")

    async def start(self, context: Context, state: bytes | None = None) -> None:
        """Start it, with the *state* of the instance whose place it takes, if there is one."""
        self.move("starting")
        if state is None:
            await self.handle.start(context)
        elif hasattr(self.handle, "import_state"):
            await self.handle.start(context)
            await self.handle.import_state(state)
        else:
            await self.handle.start(context, state)
        self.move("running")

    @property
    def is_ending(self) -> bool:
        """Whether it is being stopped, or has been."""
        return self._stopping is not None or self.state == "stopped"

    def hold(self) -> object:
        """Keep it from being stopped until `release` is called with what this returns."""
        hold = object()
        self._holds.add(hold)
        return hold

    def release(self, hold: object) -> None:
        """Hold it no longer."""
        self._holds.discard(hold)
        self._released.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being stopped."""
        hold = self.hold()
        try:
            yield
        finally:
            self.release(hold)

    @property
    def in_flight(self) -> int:
        """How many callers hold it."""
        return len(self._holds)

    async def settled(self, timeout_s: float, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Wait until none of those who hold it now does.

        False: that takes too long, or, by a change of its state, is not *wanted* any more.
        """
        now = set(self._holds)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while now & self._holds and wanted():
                    self._released.clear()
                    await self._released.wait()
        return not now & self._holds

    async def stop(self) -> None:
        """Stop it; once it has been told, a second time does nothing.

        Raises:
            PluginError: It failed to stop. It is gone all the same.
        """
        if self.state == "stopped":
            return
        if self._stopping is not None:  # whoever began hears how it went
            await asyncio.wait([self._stopping])
            return
        self._stopping = asyncio.ensure_future(self.handle.stop())
        try:
            await self._stopping
        finally:
            self.ended()

    def ended(self) -> None:
        """Note that it has been stopped."""
        if self.state in ("running", "unhealthy", "quarantined"):
            self._lifecycle.move("draining")
        if self.state != "stopped":
            self.move("stopped")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
