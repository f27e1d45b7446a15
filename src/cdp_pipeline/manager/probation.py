"""Keep the old version at hand for a while: what the new one cannot do, the old one does.

A failure of the new version counts against it only if the old one does better with the same
batch. The first one that does ends the probation: the old version takes over again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.runtimes.lost import PluginLost
from cdpplugin import Batch, Drop, Outputs, PluginError


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
            self.new.is_given_up = True
            self.ended.set()
            self._on_failure(self.new, code, reason)

    async def answer(self, batch: Batch) -> Outputs:
        """Return the new version's answer to *batch*, or the old one's where that is better."""
        try:
            outputs: Outputs = await _attempt(self.new, batch)
        except Drop:
            raise
        except Exception as error:
            if isinstance(error, PluginLost):  # whatever the old one can do, this one can nothing
                self.fail(error.code, str(error))
            rescued = await self._rescued(batch, error)
            if rescued is not None:
                return rescued
            # Neither can answer it as a whole: the new one is to find the message at fault.
            found: Outputs = await self.new.handle.process_batch(batch)
            return found
        return await self._compared(batch, outputs) if failures(outputs) else outputs

    @property
    def _is_confirmed(self) -> bool:
        """Whether the new version stays: nothing goes to the old one any more."""
        return self.ended.is_set() and not self.has_failed

    async def _rescued(self, batch: Batch, error: Exception) -> Outputs | None:
        """Return what the old version answers to a batch that the new one failed, if it can."""
        outputs = await self._asked_before(batch)
        if outputs is None or len(failures(outputs)) >= len(batch):
            return None
        self.fail(getattr(error, "code", "plugin.failed"), str(error))
        return outputs

    async def _compared(self, batch: Batch, outputs: Outputs) -> Outputs:
        """Return the better of the new version's *outputs*, which have errors, and the old's."""
        before = await self._asked_before(batch)
        now, then = failures(outputs), failures(before) if before else []
        if before is None or len(then) >= len(now):
            return outputs
        error: PluginError = outputs.errors[min(set(now) - set(then))]
        more = len(now) - len(then)
        self.fail(error.code, f"{more} of {len(batch)} rows fail that did not before: {error}")
        return before

    async def _asked_before(self, batch: Batch) -> Outputs | None:
        """Return what the old version answers; None where it fails, or has no say any more."""
        if self._is_confirmed:
            return None
        with self.old.held():
            try:
                outputs = await _attempt(self.old, batch)
            except Exception:
                return None
        return None if self._is_confirmed else outputs


def failures(outputs: Outputs) -> list[int]:
    """Return the rows that failed; one that its author drops has not."""
    return [row for row, error in outputs.errors.items() if not isinstance(error, Drop)]


async def _attempt(instance: Instance, batch: Batch) -> Outputs:
    """Ask once, without a search for the message at fault where that can be left out."""
    handle = instance.handle
    outputs: Outputs = await getattr(handle, "attempt", handle.process_batch)(batch)
    return outputs
