"""A plugin's life as one table: which state may follow which.

loaded ─► configured ─► starting ─► running ◄─► unhealthy
│  ▲         │
▼  │         ▼
quarantined ◄──┘
│
(any of them) ─► draining ─► stopped
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from cdp_pipeline.errors import CdpError

State = Literal[
    "loaded",
    "configured",
    "starting",
    "running",
    "unhealthy",
    "quarantined",
    "draining",
    "stopped",
]
STATES: tuple[State, ...] = get_args(State)

TRANSITIONS: Mapping[State, frozenset[State]] = {
    "loaded": frozenset({"configured", "stopped"}),
    "configured": frozenset({"starting", "stopped"}),
    "starting": frozenset({"running", "stopped"}),
    "running": frozenset({"unhealthy", "quarantined", "draining"}),
    "unhealthy": frozenset({"running", "quarantined", "draining"}),
    "quarantined": frozenset({"draining"}),
    "draining": frozenset({"stopped"}),
    "stopped": frozenset(),
}
"""For each state those that may follow it; this table is all there is."""

SERVING: frozenset[State] = frozenset({"running", "unhealthy"})
"""States in which an instance is asked for answers."""


class TransitionRefused(CdpError):
    """Somebody asked for a state that may not follow the present one."""

    code = "plugin.transition_refused"
    hint = "this is a fault of the host; report it"


class Lifecycle:
    """The states of one instance."""

    def __init__(self, reference: str) -> None:
        self._reference = reference
        self._state: State = "loaded"

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def is_serving(self) -> bool:
        """Whether the instance is asked for answers."""
        return self._state in SERVING

    def move(self, state: State) -> None:
        """Go on to *state*.

        Raises:
            TransitionRefused: It may not follow the present one.
        """
        if state not in TRANSITIONS[self._state]:
            expected = ", ".join(sorted(TRANSITIONS[self._state])) or "nothing"
            raise TransitionRefused(
                f"plugin `{self._reference}` is {self._state}: expected {expected} to follow, "
                f"got {state}"
            )
        self._state = state
