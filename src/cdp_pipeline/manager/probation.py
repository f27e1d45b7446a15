"""Keep the old version at hand for a while: what the new one cannot do, the old one does.

A failure of the new version counts against it only if the old one does better with the same
batch. The first one that does ends the probation: the old version takes over again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cdp_pipeline.manager.instance import Instance
from cdpplugin import Batch, Outputs, PluginError


class Probation:
    """One new version under observation.

    Attributes:
        old: The version that ran before; it stays started.
        new: The version that runs now.
        ended: Set when it is decided.
    """

    def __init__(
        self, old: Instance, new: Instance, on_failure: Callable[[Instance, str, str], None]
    ) -> None:
        self.old = old
        self.new = new
        self.ended = asyncio.Event()
        self.has_failed = False
        self._on_failure = on_failure

    def fail(self, code: str, reason: str) -> None:
        """Let the old version take over again; a second time does nothing."""
        if not self.has_failed and not self.ended.is_set():
            self.has_failed = True
            self.ended.set()
            self._on_failure(self.new, code, reason)

    async def answer(self, batch: Batch) -> Outputs:
        """Return the new version's answer to *batch*, or the old one's where that is better."""
        try:
            outputs: Outputs = await _attempt(self.new, batch)
        except Exception as error:
            rescued = await self._rescued(batch, error)
            if rescued is not None:
                return rescued
            # Neither can answer it as a whole: the new one is to find the message at fault.
            found: Outputs = await self.new.handle.process_batch(batch)
            return found
        return await self._compared(batch, outputs) if outputs.errors else outputs

    async def _rescued(self, batch: Batch, error: Exception) -> Outputs | None:
        """Return what the old version answers to a batch that the new one failed, if it can."""
        with self.old.held():
            try:
                outputs: Outputs = await _attempt(self.old, batch)
            except Exception:
                return None
        if len(outputs.errors) >= len(batch):
            return None
        self.fail(getattr(error, "code", "plugin.failed"), str(error))
        return outputs

    async def _compared(self, batch: Batch, outputs: Outputs) -> Outputs:
        """Return the better of the new version's *outputs*, which have errors, and the old's."""
        with self.old.held():
            try:
                before: Outputs = await _attempt(self.old, batch)
            except Exception:
                return outputs
        if len(before.errors) >= len(outputs.errors):
            return outputs
        row = min(outputs.errors.keys() - before.errors.keys())
        error: PluginError = outputs.errors[row]
        more = len(outputs.errors) - len(before.errors)
        self.fail(error.code, f"{more} of {len(batch)} rows fail that did not before: {error}")
        return before


async def _attempt(instance: Instance, batch: Batch) -> Outputs:
    """Ask once, without a search for the message at fault where that can be left out."""
    handle = instance.handle
    outputs: Outputs = await getattr(handle, "attempt", handle.process_batch)(batch)
    return outputs
