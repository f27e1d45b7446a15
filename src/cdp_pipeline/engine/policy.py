"""What a stage does with a row that failed."""

from __future__ import annotations

import random
from typing import Literal, Protocol

Action = Literal["fail", "retry", "drop", "dead_letter"]
LastAction = Literal["fail", "drop", "dead_letter"]


class ErrorPolicy(Protocol):
    """`on_error` of a stage.

    Attributes:
        action: What to do at once.
        attempts: Repetitions, after the first try, before giving up.
        initial_delay_s: Wait before the first repetition, in seconds; each further doubles.
        max_delay_s: Upper bound on one wait, in seconds.
        jitter: Share of a wait that is random, 0 to 1.
        then: What to do when repetitions are used up.
    """

    @property
    def action(self) -> Action: ...
    @property
    def attempts(self) -> int: ...
    @property
    def initial_delay_s(self) -> float: ...
    @property
    def max_delay_s(self) -> float: ...
    @property
    def jitter(self) -> float: ...
    @property
    def then(self) -> LastAction: ...


def delay_s(policy: ErrorPolicy, attempt: int, after_s: float | None = None) -> float:
    """Return the wait before repetition number *attempt* (from 1), in seconds.

    Args:
        policy: The stage's policy.
        attempt: Which repetition, counted from 1.
        after_s: What the plugin itself asked for, which is then the least wait.
    """
    doubled = policy.initial_delay_s * 2.0 ** min(attempt - 1, 60)
    wait = min(doubled, policy.max_delay_s)
    wait *= 1 - policy.jitter * random.random()  # noqa: S311 - spreads load, hides nothing
    return max(wait, after_s or 0.0)
