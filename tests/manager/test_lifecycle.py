"""The table of states."""

from __future__ import annotations

import pytest

from cdp_pipeline.manager.lifecycle import STATES, TRANSITIONS, Lifecycle, TransitionRefused

PATHS = {
    "loaded": [],
    "configured": ["configured"],
    "starting": ["configured", "starting"],
    "running": ["configured", "starting", "running"],
    "unhealthy": ["configured", "starting", "running", "unhealthy"],
    "quarantined": ["configured", "starting", "running", "quarantined"],
    "draining": ["configured", "starting", "running", "draining"],
    "stopped": ["stopped"],
}


def at(state: str) -> Lifecycle:
    life = Lifecycle("plugin@1.0.0")
    for step in PATHS[state]:
        life.move(step)  # type: ignore[arg-type]
    return life


@pytest.mark.parametrize("state", STATES)
def test_only_what_the_table_says(state: str) -> None:
    """From each state those of the table follow; any other is refused and changes nothing."""
    for after in STATES:
        life = at(state)
        if after in TRANSITIONS[life.state]:
            life.move(after)
            assert after == life.state
        else:
            with pytest.raises(TransitionRefused, match=f"is {state}"):
                life.move(after)
            assert state == life.state


def test_every_state_can_end() -> None:
    """From each state a way leads to `stopped`, and from there none."""
    assert frozenset() == TRANSITIONS["stopped"]
    for state in STATES:
        reached = {state}
        for _ in STATES:
            reached |= {after for each in reached for after in TRANSITIONS[each]}
        assert "stopped" in reached
