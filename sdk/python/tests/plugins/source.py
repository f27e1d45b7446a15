"""A source of the numbers from 1; it tells with each what was acknowledged before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import cdpplugin
from cdpplugin import Base, Batch, PluginMetadata, Resume, SourceBatch, SourceDescription


class Numbers(Base):
    """Yields batches of `rows` rows, each of `size_bytes`, up to position `last`."""

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata("numbers", "1.0.0", "source", output_types=["Number"])

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take `last`, `rows`, `size_bytes`, `fail_at` and `wait_at`."""
        self.last = config.get("last", 3)
        self.rows = config.get("rows", 1)
        self.filler = "x" * config.get("size_bytes", 0)
        self.fail_at = config.get("fail_at")
        self.wait_at = config.get("wait_at")
        self.acknowledged = -1

    async def describe(self) -> SourceDescription:
        """Say what the stream is."""
        return SourceDescription("numbers", unit="numbers", first=1, last=self.last)

    async def acknowledge(self, completed_through: int) -> None:
        """Keep the position and print it; refuse one that is negative."""
        if completed_through < 0:
            raise cdpplugin.Fatal("the cursor is lost", code="numbers.cursor")
        self.acknowledged = completed_through
        print("acknowledged", completed_through)

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the numbers after *after*."""
        for position in range(after.position + 1 if after else 1, self.last + 1):
            if position == self.fail_at:
                raise cdpplugin.Retry("not there yet", code="numbers.missing")
            if position == self.wait_at:
                await asyncio.Event().wait()
            value = {"n": position, "acknowledged": self.acknowledged, "filler": self.filler}
            batch = Batch.of("Number", [value] * self.rows)
            positions = [position] * self.rows
            yield SourceBatch(batch, positions, token=str(position).encode())


cdpplugin.serve(Numbers())
