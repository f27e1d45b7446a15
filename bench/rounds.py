"""Let variants take turns, round after round, within a bound of time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from bench.case import Series

Variants = Mapping[str, Callable[[], float]]
LEAST_ROUNDS = 3


def take_turns(variants: Variants, *, rounds: int, budget_s: float) -> dict[str, list[float]]:
    """Return one sample a variant and round, after a warm-up round that is dropped.

    The order is reversed every other round. When *budget_s* seconds are used up no further
    round begins, once there have been LEAST_ROUNDS.
    """
    begun = monotonic()
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        if number > LEAST_ROUNDS and monotonic() - begun > budget_s:
            break
        for name in _order(list(variants), number):
            gc.collect()  # what the variant before has left is not charged to this one
            sample = variants[name]()
            if number:
                samples[name].append(sample)
    return samples


def _order(names: Sequence[str], number: int) -> Sequence[str]:
    return names if number % 2 == 0 else names[::-1]


def ratio(above: Sequence[float], below: Sequence[float]) -> Series:
    """Return *above* / *below*, round by round."""
    return Series("x", [a / b for a, b in zip(above, below, strict=True)])
