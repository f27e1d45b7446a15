"""Stop asking a stage that fails most of what it is asked, for a while, then try again.

Rows that a policy drops or sets aside are gone from the stream. When a service behind a plugin
is away that would be all of them: the breaker holds the stream up instead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from cdp_pipeline.engine.patience import Patience
from cdp_pipeline.engine.spec import BreakerTerms, StageSpec


class Breaker:
    """The breaker of one stage: closed, open, or trying whether it may close."""

    def __init__(
        self,
        spec: StageSpec,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._terms: BreakerTerms | None = spec.breaker
        self._patience = patience
        self._clock = clock
        self._seen: deque[tuple[float, int, int]] = deque()
        self._open_until_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the stage is left alone now."""
        return self._open_until_s is not None and self._clock() < self._open_until_s

    async def closed(self) -> None:
        """Wait until the stage may be asked, or somebody asks the run to stop."""
        while self._open_until_s is not None and not self._patience.ended:
            left_s = self._open_until_s - self._clock()
            if left_s <= 0:
                return
            await self._patience.pause(left_s)

    def note(self, rows: int, failed: int) -> None:
        """Take note of what became of *rows* rows, of which so many are given up."""
        terms = self._terms
        if terms is None or not rows:
            return
        now = self._clock()
        is_trial = self._open_until_s is not None and now >= self._open_until_s
        if is_trial:
            self._seen.clear()
            self._open_until_s = None
        self._seen.append((now, rows, failed))
        while self._seen[0][0] <= now - terms.window_s:
            self._seen.popleft()
        total = sum(rows for _, rows, _ in self._seen)
        share = sum(failed for _, _, failed in self._seen) / total
        if share > terms.failure_rate and (is_trial or total >= terms.rows):
            self._open_until_s = now + terms.pause_s
            self._patience.tell(
                self._spec,
                "too many messages fail: the stage is left alone for a while",
                failed=f"{share:.0%}",
                pause_s=terms.pause_s,
            )
