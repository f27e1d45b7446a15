"""Try a request again when its failure is expected to pass, waiting longer each time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from .errors import LakeUnreachable

# The host installs the handler, which shows the fields given as `extra`.
_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how fast a request to a store is tried again.

    Attributes:
        limit: Retries after the first try; 0 never tries again.
        initial_wait_s: Wait before the first retry, in seconds; doubled each time.
        max_wait_s: Upper bound on any wait, in seconds.
    """

    limit: int = 5
    initial_wait_s: float = 0.5
    max_wait_s: float = 30.0

    def wait_s(self, attempt: int) -> float:
        """Return the longest wait before retry number *attempt* (from 1), in seconds."""
        return float(min(self.initial_wait_s * 2.0 ** (attempt - 1), self.max_wait_s))


async def with_retries(policy: RetryPolicy, request: Callable[[], Awaitable[T]]) -> T:
    """Return what *request* returns, trying again while it raises `LakeUnreachable`.

    Waits are drawn between half and all of the policy's, so that many readers
    of one store do not come back at the same moment.

    Raises:
        LakeUnreachable: Every try failed; the last error.
    """
    attempt = 0
    while True:
        try:
            return await request()
        except LakeUnreachable as error:
            attempt += 1
            if attempt > policy.limit:
                raise
            wait_s = policy.wait_s(attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            _log.warning(
                "store asked again",
                extra={
                    "retry": attempt,
                    "retries": policy.limit,
                    "wait_s": round(wait_s, 1),
                    "error": error.message,
                },
            )
            await asyncio.sleep(wait_s)
