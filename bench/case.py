"""What a benchmark case is, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")
Scale = Literal["tiny", "normal", "full"]
"""How large a run is: `tiny` only proves that it works, `full` takes its time."""


class Skip(Exception):
    """A case cannot be measured here; says why."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a run is.

    Attributes:
        scale: The size by name.
        folder: Where a case may write; removed after the run.
    """

    scale: Scale
    folder: str

    def of(self, *, tiny: T, normal: T, full: T | None = None) -> T:
        """Return the value for this size; without a *full* one, the normal one."""
        if self.scale == "tiny":
            return tiny
        return full if self.scale == "full" and full is not None else normal


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one variant, in the order in which they were taken.

    Attributes:
        unit: What is counted, e.g. `msg/s`.
        samples: One number a round; the warm-up is not among them.
    """

    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """The middle sample."""
        return median(self.samples)


@dataclass(frozen=True, slots=True)
class Goal:
    """A number to reach.

    Attributes:
        what: What was measured, in words.
        bound: Whether the goal is a floor or a ceiling.
        goal: The number to reach.
        measured: The number that came out: a median.
        unit: Of both.
        control: Name of the A/A control that says how much of it is chance.
    """

    what: str
    bound: Literal["at least", "at most"]
    goal: float
    measured: float
    unit: str
    control: str = ""

    @property
    def reached(self) -> bool:
        """Whether the number was reached in this run."""
        if self.bound == "at least":
            return self.measured >= self.goal
        return self.measured <= self.goal


@dataclass(slots=True)
class Measurement:
    """What a case found.

    Attributes:
        series: Samples by variant.
        ratios: Ratios of two variants, one sample a round.
        controls: A/A ratios: the same variant against itself; 1 but for chance.
        goals: What was to be reached.
        facts: Anything a reader needs to judge the numbers: sizes, counts, inputs.
    """

    series: dict[str, Series]
    ratios: dict[str, Series] = field(default_factory=dict)
    controls: dict[str, Series] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One benchmark.

    Attributes:
        name: As it is called on the command line.
        summary: What is measured and how, in one or two sentences.
        measure: Does it.
    """

    name: str
    summary: str
    measure: Callable[[Size], Measurement]
