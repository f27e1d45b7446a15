"""Seeded choices that come out the same on every Python version.

Only `random.Random.random` is used: it is the one method whose sequence Python promises never to
change for a given seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of choices fixed by its seed."""

    __slots__ = ("_next",)

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def below(self, bound: int) -> int:
        """An integer from 0 to `bound` - 1; `bound` is at most 2^53."""
        return int(self._next() * bound)

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self._next() * (high - low + 1))

    def chance(self, ratio: float) -> bool:
        """True in this share of all calls."""
        return self._next() < ratio

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[int(self._next() * len(options))]

    def amount(self, decades: int = 4) -> int:
        """A plausible amount of an asset in stroops: many small, few large, mostly round.

        With the default of 4 decades, from 0.1 to below 1,000 units.
        """
        magnitude: int = 10 ** self.between(6, 5 + decades)
        return magnitude * self.between(1, 9) + (self.below(magnitude) if self.chance(0.5) else 0)

    def octets(self, count: int) -> bytes:
        """That many bytes."""
        return bytes(int(self._next() * 256) for _ in range(count))
