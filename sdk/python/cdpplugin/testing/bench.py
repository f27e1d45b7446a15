"""The bench on which a plugin is tried: fresh lives of it, one shared life, sample messages."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdpplugin.delivery import Context
from cdpplugin.errors import ConfigInvalid
from cdpplugin.message import Message
from cdpplugin.metadata import PluginMetadata
from cdpplugin.testing.case import Skipped

FOLDER = "${FOLDER}"
"""Stands in a sample configuration for a folder that is the case's own."""

CONTEXT = Context("conformance", "under-test", "Test SDF Network ; September 2015")

ABANDON_S = 10.0
"""Longest wait for the stop of what is given up, in seconds."""

Launch = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a fresh, unconfigured handle that keeps the protocols of `cdpplugin.protocols`.

When the block ends, whatever was launched is gone, in whatever state the plugin was left.
"""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tried.

    Attributes:
        name: How the report calls it.
        launch: Gives fresh handles of it.
        config: A configuration it accepts, `${FOLDER}` standing for a folder to use; None
            where none is known: the empty one is tried.
        messages: Messages it takes, for a processor or consumer; made up where none are given.
        bound_s: Longest time for one case, in seconds.
        patience_s: How long an unbounded source is listened to, in seconds.
        scratch: A folder in which the plugin may write; None is the system's for temporary files.
    """

    name: str
    launch: Launch
    config: Mapping[str, Any] | None = None
    messages: Sequence[Message] = ()
    bound_s: float = 60.0
    patience_s: float = 3.0
    scratch: Path | None = None


@dataclass(eq=False)
class Bench:
    """What a case has to work with.

    Attributes:
        subject: What is tried.
        metadata: What the plugin says of itself.
        notes: What a case has found that breaks no rule, for the report.
    """

    subject: Subject
    metadata: PluginMetadata
    notes: list[str] = field(default_factory=list)
    _shared: Any = None
    _lives: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def is_reference(self) -> bool:
        """Whether the plugin is one that does what `spec/conformance.md` says."""
        return self.metadata.name == f"cdp-reference-{self.metadata.type}"

    def note(self, text: str) -> None:
        """Tell something that breaks no rule."""
        if text not in self.notes:
            self.notes.append(text)

    def config(self, folder: Path, **changes: Any) -> dict[str, Any]:
        """Return the sample configuration with *folder* in its place, and with *changes*."""
        given = self.subject.config
        if given is None and self.is_reference and self.metadata.type == "consumer":
            given = {"path": FOLDER}
        filled: dict[str, Any] = _filled(given or {}, str(folder))
        return filled | changes

    @asynccontextmanager
    async def instance(self) -> AsyncIterator[Any]:
        """Give a fresh handle, not configured yet."""
        async with self.subject.launch() as handle:
            yield handle

    @asynccontextmanager
    async def life(
        self, folder: Path | None = None, *, context: Context = CONTEXT, **changes: Any
    ) -> AsyncIterator[Any]:
        """Give a fresh handle that is started, and stop it when the block has ended well.

        Args:
            folder: What the configuration may use; a new one where None is given.
            context: What it is told at its start.
            changes: Put in place of keys of the sample configuration.
        """
        async with self.instance() as handle, self.folder() as own:
            await self.configure(handle, folder or own, **changes)
            await handle.start(context)
            try:
                yield handle
            except BaseException:
                await self._abandon(handle)
                raise
            await handle.stop()

    async def configure(self, handle: Any, folder: Path, **changes: Any) -> None:
        """Hand *handle* the sample configuration.

        Raises:
            Skipped: None is known, and the empty one is refused.
        """
        try:
            await handle.configure(self.config(folder, **changes))
        except ConfigInvalid as error:
            if self.subject.config is None and not self.is_reference:
                raise Skipped(f"needs a sample configuration: {error}") from error
            raise

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """Give an empty folder."""
        with tempfile.TemporaryDirectory(
            prefix="cdp-conformance-", dir=self.subject.scratch
        ) as name:
            yield Path(name)

    async def shared(self) -> Any:
        """Return a started handle that cases share, for those that leave it as it was."""
        if self._shared is None:
            handle = await self._lives.enter_async_context(self.instance())
            await self.configure(handle, await self._lives.enter_async_context(self.folder()))
            await handle.start(CONTEXT)
            self._shared = handle
        return self._shared

    async def discard(self) -> None:
        """End the shared life, in whatever state a case has left it."""
        lives, self._lives = self._lives, AsyncExitStack()
        handle, self._shared = self._shared, None
        if handle is not None:
            await self._abandon(handle)
        with suppress(Exception):
            await lives.aclose()

    async def _abandon(self, handle: Any) -> None:
        """Stop *handle* if it can be stopped at all: a case has failed, or is over."""
        with suppress(Exception):
            async with asyncio.timeout(ABANDON_S):
                await handle.stop()


def _filled(value: Any, folder: str) -> Any:
    if isinstance(value, str):
        return value.replace(FOLDER, folder)
    if isinstance(value, Mapping):
        return {key: _filled(held, folder) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(held, folder) for held in value]
    return value
