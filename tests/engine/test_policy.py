"""How long a stage waits before it repeats."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.engine.policy import ErrorPolicy, delay_s

EXACT = ErrorPolicy(initial_delay_s=0.5, max_delay_s=6.0, jitter=0.0)


def test_each_wait_doubles_up_to_the_bound() -> None:
    """0.5 s, 1 s, 2 s, 4 s, then never more than the bound."""
    assert [0.5, 1.0, 2.0, 4.0, 6.0, 6.0] == [delay_s(EXACT, attempt) for attempt in range(1, 7)]


def test_a_plugin_chooses_its_wait() -> None:
    """`Retry(after_s=...)` takes the place of the policy's wait, shorter or longer."""
    assert [30.0, 1.0] == [delay_s(EXACT, 1, 30.0), delay_s(EXACT, 4, 1.0)]


def test_no_number_of_attempts_overflows() -> None:
    """A stage may repeat for ever."""
    assert 6.0 == delay_s(EXACT, 1_000_000)


@given(
    initial=st.floats(0, 100),
    longest=st.floats(0, 1000),
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 200),
)
def test_jitter_only_shortens_and_only_by_its_share(
    initial: float, longest: float, jitter: float, attempt: int
) -> None:
    """A wait lies between (1 - jitter) of the exact one and the exact one."""
    exact = ErrorPolicy(initial_delay_s=initial, max_delay_s=longest, jitter=0.0)
    loose = ErrorPolicy(initial_delay_s=initial, max_delay_s=longest, jitter=jitter)
    whole = delay_s(exact, attempt)

    assert (1 - jitter) * whole - 1e-9 <= delay_s(loose, attempt) <= whole <= longest
