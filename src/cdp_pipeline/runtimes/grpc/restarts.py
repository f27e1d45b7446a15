"""Start a plugin that died again: slowly at first, and not for ever."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """When a plugin that died is started again, and when no more.

    Attributes:
        initial_delay_s: Wait before the first start inside one window, in seconds.
        max_delay_s: Upper bound on any wait, in seconds.
        max_restarts: Starts allowed inside one window; None sets no bound.
        window_s: Length of the sliding window, in seconds.
        jitter: Share of a wait that is random, 0 to 1: plugins that died together do not all
            start at the same moment.
    """

    initial_delay_s: float = 0.1
    max_delay_s: float = 10.0
    max_restarts: int | None = 5
    window_s: float = 60.0
    jitter: float = 0.2


class Deaths:
    """The deaths of one plugin inside the window."""

    def __init__(self, policy: RestartPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._deaths: deque[tuple[float, object]] = deque()

    @property
    def count(self) -> int:
        """Deaths inside the window."""
        while self._deaths and self._deaths[0][0] <= self._clock() - self._policy.window_s:
            self._deaths.popleft()
        return len(self._deaths)

    def note(self, whose: object = None) -> None:
        """Take note of one, of the instance *whose* where there is one."""
        self._deaths.append((self._clock(), whose))

    def excuse(self, whose: object) -> None:
        """Forget the death of the instance *whose*, if it was noted."""
        self._deaths = deque(death for death in self._deaths if death[1] is not whose)

    @property
    def are_too_many(self) -> bool:
        """Whether the plugin is not to be started again."""
        bound = self._policy.max_restarts
        return bound is not None and self.count > bound

    @property
    def delay_s(self) -> float:
        """The wait before the next start, in seconds; it doubles with each death, less some."""
        if not self.count:
            return 0.0
        doubled = self._policy.initial_delay_s * 2.0 ** min(self.count - 1, 60)
        wait_s = min(doubled, self._policy.max_delay_s)
        return wait_s * (1 - self._policy.jitter * random.random())  # noqa: S311 - spreads load
