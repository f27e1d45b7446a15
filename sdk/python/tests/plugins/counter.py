"""A stateful processor that counts, and hands its count over to its successor."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import cdpplugin
from cdpplugin import Base, Batch, OutputPart, Outputs, PluginMetadata


class Counter(Base):
    """Answers a batch with the number of messages so far."""

    def __init__(self) -> None:
        self.count = 0

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata("counter", "1.0.0", stateful=True)

    async def process_batch(self, batch: Batch) -> Outputs:
        """Wait as long as the first payload says, then count."""
        print("begun")
        await asyncio.sleep(batch.payloads.value(0)["wait_s"])
        self.count += len(batch)
        answer = Batch.of("Count", [self.count])
        return Outputs([OutputPart(answer, [len(batch) - 1])])

    async def export_state(self) -> bytes:
        """Return the count."""
        return str(self.count).encode()

    async def import_state(self, state: bytes) -> None:
        """Take the count."""
        self.count = int(state)

    async def stop(self) -> None:
        """Leave a note."""
        if note := os.environ.get("NOTE"):
            Path(note).write_text(f"stopped at {self.count}")


cdpplugin.serve(Counter())
