"""Wait between repetitions: audibly, and not when somebody wants the run to stop."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from cdp_pipeline.engine.policy import ErrorPolicy, delay_s
from cdp_pipeline.observability.logs import logger
from cdpplugin import PluginError, Retry

if TYPE_CHECKING:
    from cdp_pipeline.engine.spec import StageSpec

_LINE_EVERY_S = 10.0


class Patience:
    """How one run waits for what is expected to pass.

    A stop request ends every wait: what waited is tried once more, and then given up. It was
    not durable, so the next run reads it again.
    """

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._said: dict[str, float] = {}

    @property
    def ended(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._stopping.is_set()

    def end(self) -> None:
        """End all waits, now and from now on."""
        self._stopping.set()

    async def wait(self, spec: StageSpec, attempt: int, error: PluginError) -> None:
        """Wait before repetition number *attempt*, and say so, but not all the time."""
        policy: ErrorPolicy = spec.on_error
        wait_s = delay_s(policy, attempt, error.after_s if isinstance(error, Retry) else None)
        if attempt == 1 or monotonic() - self._said.get(spec.name, 0.0) >= _LINE_EVERY_S:
            self._said[spec.name] = monotonic()
            logger(stage=spec.name, plugin=spec.plugin).warning(
                "trying again",
                attempt=attempt,
                of=policy.attempts,
                wait_s=round(wait_s, 3),
                code=error.code,
                error=str(error),
            )
        await self.pause(wait_s)

    async def pause(self, wait_s: float) -> None:
        """Wait, no longer than until somebody asks the run to stop."""
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            return

    @staticmethod
    def tell(spec: StageSpec, message: str, **facts: object) -> None:
        """Say something of a stage that the user should know."""
        logger(stage=spec.name, plugin=spec.plugin).warning(message, **facts)
