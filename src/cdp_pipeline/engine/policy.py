"""What a stage does with a row that failed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Action = Literal["fail", "retry", "drop", "dead_letter"]
LastAction = Literal["fail", "drop", "dead_letter"]


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """`on_error` of a stage.

    Attributes:
        action: What to do at once.
        attempts: Repetitions, after the first try, before giving up.
        initial_delay_s: Wait before the first repetition, in seconds; each further doubles.
        max_delay_s: Upper bound on one wait, in seconds.
        jitter: Share of a wait that is random, 0 to 1.
        then: What to do when repetitions are used up.
    """

    action: Action = "fail"
    attempts: int = 10
    initial_delay_s: float = 0.2
    max_delay_s: float = 30.0
    jitter: float = 0.2
    then: LastAction = "fail"


def delay_s(policy: ErrorPolicy, attempt: int, after_s: float | None = None) -> float:
    """Return the wait before repetition number *attempt* (from 1), in seconds.

    Args:
        policy: The stage's policy.
        attempt: Which repetition, counted from 1.
        after_s: What the plugin itself asked for, which then takes the place of the policy's.
    """
    if after_s is not None:
        return max(0.0, after_s)
    doubled = policy.initial_delay_s * 2.0 ** min(attempt - 1, 60)
    wait = min(doubled, policy.max_delay_s)
    return wait * (1 - policy.jitter * random.random())  # noqa: S311 - spreads load, hides nothing
