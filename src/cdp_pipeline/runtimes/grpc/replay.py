"""What a consumer has taken and not yet made durable, for the one that is started after it.

Invariant: a consumer's death never loses a row. What it held is handed over again; where
there is no room to keep it here, its death ends the run, which goes on from the checkpoint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from cdpplugin import Delivery, Fatal

LIMIT_BYTES = 64 << 20
"""Room for deliveries, in bytes of their batches."""


class Replay:
    """The deliveries of one consumer that are not durable.

    Attributes:
        taken_through: Position through which the consumer has everything.
    """

    def __init__(self, reference: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self.taken_through = -1
        self._reference = reference
        self._limit_bytes = limit_bytes
        self._held: deque[Delivery] = deque()
        self._size_bytes = 0
        self._lost_through: int | None = None

    def begin_at(self, position: int | None) -> None:
        """Take note of what the consumer held before it was handed anything."""
        if position is not None:
            self.taken_through = max(self.taken_through, position)

    def keep(self, delivery: Delivery) -> None:
        """Keep *delivery*, which the consumer has taken."""
        self.taken_through = max(self.taken_through, delivery.completed_through)
        self._held.append(delivery)
        self._size_bytes += delivery.batch.size_bytes
        while self._size_bytes > self._limit_bytes:
            self._lost_through = self._drop_first()

    def let_go(self, durable_through: int) -> None:
        """Forget what is durable."""
        while self._held and _end(self._held[0]) <= durable_through:
            self._drop_first()
        if self._lost_through is not None and self._lost_through <= durable_through:
            self._lost_through = None

    def deliveries(self) -> Sequence[Delivery]:
        """Return what has to be handed over again, in order.

        Raises:
            Fatal: plugin.crashed; there was no room to keep all of it.
        """
        if self._lost_through is not None:
            raise Fatal(
                f"plugin `{self._reference}` died with more than {self._limit_bytes} bytes that it "
                "had taken and not made durable",
                code="plugin.crashed",
                hint="run the pipeline again: it goes on from the checkpoint",
            )
        return tuple(self._held)

    def _drop_first(self) -> int:
        first = self._held.popleft()
        self._size_bytes -= first.batch.size_bytes
        return _end(first)


def _end(delivery: Delivery) -> int:
    """Return the position through which all of *delivery* is durable, rows beyond its mark too."""
    last = delivery.positions[-1] if len(delivery.positions) else -1
    return max(delivery.completed_through, last)
