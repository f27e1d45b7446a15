"""The reference source: it counts positions, as its configuration says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from configuration import checked, schema
from instructions import INSTRUCTIONS, read_failure

from cdpplugin import (
    Base,
    Batch,
    Context,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
)

METADATA = PluginMetadata(
    "cdp-reference-source",
    "1.0.0",
    "source",
    description="Counts positions",
    license="Apache-2.0",
    output_types=["Reference.Number"],
    config_schema=schema(
        first={"type": "integer", "default": 1, "description": "First position."},
        last={"type": ["integer", "null"], "default": 20, "description": "Last; null: none."},
        rows={"type": "integer", "default": 1, "description": "Rows at each position."},
        batch={"type": "integer", "default": 1, "description": "Positions in each batch."},
        gaps={"type": "integer", "default": 0, "description": "Multiples of it have no row."},
        size_bytes={"type": "integer", "default": 0, "description": "Size of each row's filler."},
        fail_at={"type": ["integer", "null"], "default": None, "description": "Fails there once."},
        fail_with={
            "enum": list(INSTRUCTIONS),
            "default": "retry",
            "description": "How it fails.",
        },
    ),
)


class ReferenceSource(Base):
    """Counts positions."""

    def __init__(self) -> None:
        self._acknowledged = -1
        self._failed = False

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return METADATA

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration."""
        self._settings = checked(config, METADATA.config_schema)

    async def start(self, context: Context) -> None:
        """Keep the context."""
        self._context = context

    async def describe(self) -> SourceDescription:
        """Say what the stream is."""
        first, last = self._settings["first"], self._settings["last"]
        return SourceDescription(
            identity=METADATA.name,
            network=self._context.network,
            unit="positions",
            first=first,
            last=last,
            start=str(first),
        )

    async def acknowledge(self, completed_through: int) -> None:
        """Keep the position, to tell it in later rows."""
        self._acknowledged = completed_through

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        """Yield the positions after *after*."""
        last, step = self._settings["last"], self._settings["batch"]
        position = max(self._settings["first"], after.position + 1 if after else 0)
        while last is None or position <= last:
            stop = position + step if last is None else min(position + step, last + 1)
            stop = self._stop_before_failure(position, stop)
            yield self._batch(range(position, stop), after)
            position = stop
            await asyncio.sleep(0)

    def _stop_before_failure(self, position: int, stop: int) -> int:
        """Return where the batch ends: before the position that fails, where that lies in it."""
        at = self._settings["fail_at"]
        if self._failed or at is None or not position <= at < stop:
            return stop
        if at > position:
            return int(at)
        self._failed = True
        raise read_failure(self._settings["fail_with"], at)

    def _batch(self, span: range, after: Resume | None) -> SourceBatch:
        gaps, rows = self._settings["gaps"], self._settings["rows"]
        given = [p for p in span if not gaps or p % gaps for _ in range(rows)]
        indexes = [row % rows for row in range(len(given))]
        resumed = {"position": after.position, "token": after.token.hex()} if after else None
        values = [
            {
                "position": position,
                "index": index,
                "acknowledged": self._acknowledged,
                "resumed": resumed,
                "filler": "x" * self._settings["size_bytes"],
            }
            for position, index in zip(given, indexes, strict=True)
        ]
        ids = [f"number:{p}:{index}" for p, index in zip(given, indexes, strict=True)]
        batch = Batch.of("Reference.Number", values, ids=ids)
        return SourceBatch(batch, given, span[-1], str(span[-1]).encode())
