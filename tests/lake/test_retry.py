"""Trying again what is expected to pass."""

from __future__ import annotations

import pytest

from cdp_pipeline.connectors.stellar.lake.errors import LakeNotFound, LakeUnreachable
from cdp_pipeline.connectors.stellar.lake.retry import RetryPolicy, with_retries

AT_ONCE = RetryPolicy(limit=2, initial_wait_s=0.0)


class TestPolicy:
    def test_waits_double_up_to_the_bound(self) -> None:
        """Each wait is twice the one before, never above the bound."""
        policy = RetryPolicy(initial_wait_s=1.0, max_wait_s=5.0)

        assert [1.0, 2.0, 4.0, 5.0, 5.0] == [policy.wait_s(attempt) for attempt in range(1, 6)]


class TestWithRetries:
    @pytest.mark.parametrize("failures", [0, 1, 2])
    async def test_gets_through(self, failures: int) -> None:
        """A request that fails no oftener than allowed gives its answer."""
        left = [LakeUnreachable("busy")] * failures

        async def request() -> str:
            if left:
                raise left.pop()
            return "answer"

        assert await with_retries(AT_ONCE, request) == "answer"

    @pytest.mark.parametrize(
        ("error", "tries"), [(LakeUnreachable("busy"), 3), (LakeNotFound("nothing"), 1)]
    )
    async def test_gives_up(self, error: Exception, tries: int) -> None:
        """Only what is expected to pass is tried again, and not for ever."""
        tried = []

        async def request() -> None:
            tried.append(1)
            raise error

        with pytest.raises(type(error)):
            await with_retries(AT_ONCE, request)
        assert tries == len(tried)
