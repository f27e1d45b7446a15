"""A consumer that keeps every second delivery back until it is flushed."""

from __future__ import annotations

from collections.abc import Sequence

import cdpplugin
from cdpplugin import Base, Context, Delivery, PluginMetadata


class Keeper(Base):
    """Durable on every even mark; fails once on a payload `fail`."""

    def __init__(self) -> None:
        self.taken = -1
        self.failed = False

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata("keeper", "1.0.0", "consumer")

    async def durable_position(self) -> int:
        """Hold nothing yet."""
        return -1

    def consume(self, delivery: Delivery) -> int | None:
        """Take a delivery."""
        if b'"fail"' in delivery.batch.payloads.json() and not self.failed:
            self.failed = True
            raise cdpplugin.Retry("disk full", code="keeper.full")
        self.taken = delivery.completed_through
        return self.taken if self.taken % 2 == 0 else None

    def flush(self) -> int:
        """Make everything durable."""
        return self.taken

    def forget(self, context: Context) -> Sequence[str]:
        """Forget."""
        return [f"forgot {context.pipeline}/{context.stage}"]


cdpplugin.serve(Keeper())
