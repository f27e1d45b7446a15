"""The guest's clock: its own by default, so that nothing can be timed and nobody waits.

It begins at 2000-01-01 and moves on by one microsecond whenever it is read; a sleep moves it on and
ends at once. With the real clock a sleep ends at the guest's deadline at the latest: wasmtime
cannot end a guest that waits inside of a host function.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

VIRTUAL_EPOCH_NS = 946_684_800_000_000_000
"""2000-01-01T00:00:00Z in nanoseconds since 1970."""
STEP_NS = 1_000

_SUBSCRIPTION_BYTES, _EVENT_BYTES = 48, 32
_MOST_SUBSCRIPTIONS = 4096
_CLOCK_TAG, _ABSOLUTE = 0, 1


class VirtualClock:
    """A clock that moves on when it is read."""

    def __init__(self) -> None:
        self._now_ns = VIRTUAL_EPOCH_NS

    def now_ns(self, clock_id: int) -> int:
        """Return the time, in nanoseconds."""
        self._now_ns += STEP_NS
        return self._now_ns

    def sleep(self, duration_ns: int) -> None:
        """Move on by *duration_ns*."""
        self._now_ns += max(0, duration_ns)


class RealClock:
    """The machine's clock.

    Attributes:
        deadline: When the call in progress has to end, by `time.monotonic`.
        expire: Lets the guest's time be over as soon as it runs again.
    """

    def __init__(self) -> None:
        self.deadline = 0.0
        self.expire: Callable[[], None] = lambda: None

    def now_ns(self, clock_id: int) -> int:
        """Return the time, in nanoseconds; clock 0 is the wall's, any other one never goes back."""
        return time.monotonic_ns() if clock_id else time.time_ns()

    def sleep(self, duration_ns: int) -> None:
        """Wait for *duration_ns*, or until the deadline."""
        wanted_s, left_s = max(0, duration_ns) / 1e9, max(0.0, self.deadline - time.monotonic())
        time.sleep(min(wanted_s, left_s))
        if wanted_s > left_s:
            self.expire()


Clock = VirtualClock | RealClock


def poll(subscriptions: bytes, clock: Clock) -> bytes:
    """Return the events of WASI's `poll_oneoff`: the earliest timer, or else that all is ready.

    Source: WASI preview 1, `subscription` (48 bytes) and `event` (32 bytes).
    """
    timers: list[tuple[int, bytes]] = []
    ready: list[bytes] = []
    for at in range(0, len(subscriptions), _SUBSCRIPTION_BYTES):
        userdata, tag = struct.unpack_from("<QB", subscriptions, at)
        event = struct.pack("<QHB21x", userdata, 0, tag)
        if tag != _CLOCK_TAG:
            ready.append(event)
            continue
        clock_id, timeout_ns, _, flags = struct.unpack_from("<I4xQQH", subscriptions, at + 16)
        if flags & _ABSOLUTE:
            timeout_ns -= clock.now_ns(clock_id)
        timers.append((max(0, timeout_ns), event))
    if ready or not timers:
        return b"".join(ready)
    duration_ns, event = min(timers, key=lambda timer: timer[0])
    clock.sleep(duration_ns)
    return event


def subscriptions_size(count: int) -> int:
    """Return how many bytes *count* subscriptions take; -1 for more than anybody needs."""
    return count * _SUBSCRIPTION_BYTES if 0 < count <= _MOST_SUBSCRIPTIONS else -1
