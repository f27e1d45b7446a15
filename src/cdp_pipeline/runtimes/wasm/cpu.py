"""Let a plugin's guests use no more than their share of processor time, by waiting between calls.

A bucket fills at the share's rate and holds what the share is of one second; each call takes
out what it cost, on whichever thread. Where the bucket is empty the next call waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WINDOW_S = 1.0
"""Time over which the share holds, in seconds."""


class DutyCycle:
    """The processor time of one plugin.

    Args:
        share: How much it may use, in cores; None: as much as it likes.
        clock: Gives the time, in seconds.
    """

    def __init__(self, share: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.used_s = 0.0
        self._share = share
        self._clock = clock
        self._left_s = (share or 0.0) * WINDOW_S
        self._filled_at = clock()
        self._turn = threading.Lock()

    def charge(self, cost_s: float) -> None:
        """Take note that a call cost *cost_s* of processor time."""
        with self._turn:
            self.used_s += cost_s
            self._fill()
            self._left_s -= cost_s

    def wait_s(self) -> float:
        """Return how long the next call has to wait, in seconds."""
        if self._share is None:
            return 0.0
        with self._turn:
            self._fill()
            return max(0.0, -self._left_s / self._share)

    def _fill(self) -> None:
        share, now = self._share, self._clock()
        if share is not None:
            most = share * WINDOW_S
            self._left_s = min(most, self._left_s + (now - self._filled_at) * share)
        self._filled_at = now
