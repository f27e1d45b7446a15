"""What a conformance run found, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cdpplugin.metadata import PluginKind
from cdpplugin.testing.case import CONFORMANCE_VERSION

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one case ended.

    Attributes:
        case: Its name.
        rule: What must hold.
        outcome: `passed`, `failed` or `skipped`.
        seconds: How long it took.
        reason: Why it failed or was skipped; empty where it passed.
        notes: What it found that breaks no rule.
    """

    case: str
    rule: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How a plugin did.

    Attributes:
        subject: What was tried.
        plugin: `name@version`, as it calls itself.
        kind: What it is.
        results: Every case that was tried, in order.
        version: Version of the suite.
    """

    subject: str
    plugin: str
    kind: PluginKind
    results: Sequence[Result]
    version: str = CONFORMANCE_VERSION

    def of(self, outcome: Outcome) -> list[Result]:
        """Return the cases that ended so."""
        return [result for result in self.results if result.outcome == outcome]

    @property
    def conforms(self) -> bool:
        """Whether no case failed, and one passed at least."""
        return not self.of("failed") and bool(self.of("passed"))

    @property
    def seconds(self) -> float:
        """How long all of them took."""
        return sum(result.seconds for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "conformance": self.version,
            "subject": self.subject,
            "plugin": self.plugin,
            "kind": self.kind,
            "conforms": self.conforms,
            "seconds": round(self.seconds, 3),
            "cases": [
                {**asdict(result), "seconds": round(result.seconds, 3)} for result in self.results
            ],
        }
