"""Where messages go that no stage could take: one JSON object a line, durable at once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_pipeline.engine.checkpoint import replace_file
from cdp_pipeline.engine.parcel import Part
from cdpplugin import PluginError


class DeadLetters:
    """An append-only file of messages with the error that stopped each.

    Invariant 6: a dead letter is durable before the mark of its position moves on. A
    replay writes the same letters again, so those after the resume position are cut
    off first: the file holds each letter once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = asyncio.Lock()

    def cut_after(self, position: int | None) -> None:
        """Remove the letters after *position* (None: all), which the replay will write again."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            kept = [
                line for line in lines if _position(line) <= (-1 if position is None else position)
            ]
        replace_file(self.path, b"".join(kept))

    def remove(self) -> bool:
        """Remove the file; False where there was none."""
        existed = self.path.exists()
        self.path.unlink(missing_ok=True)
        return existed

    async def write(
        self, part: Part, row: int, error: PluginError, *, stage: str, plugin: str
    ) -> None:
        """Append row *row* of *part* with *error*, and make it durable."""
        letter = _letter(part, row, error) | {"stage": stage, "plugin": plugin}
        line = json.dumps(letter, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        async with self._lock:
            await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _position(line: bytes) -> int:
    try:
        return int(json.loads(line)["position"])
    except (ValueError, KeyError, TypeError):
        return 2**63  # a torn last line: the crash came before its mark moved on


def _letter(part: Part, row: int, error: PluginError) -> dict[str, Any]:
    batch = part.batch
    return {
        "id": batch.ids[row],
        "type": batch.types[row],
        "position": part.positions[row],
        "error": {"code": error.code, "message": str(error), "hint": error.hint},
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "metadata": dict(batch.metadata[row]),
        **_payload(part, row),
    }


def _payload(part: Part, row: int) -> dict[str, Any]:
    """The payload as it is held: JSON as JSON, raw XDR as base64, never decoded for this."""
    payloads = part.batch.payloads
    raw = getattr(payloads, "xdr", None)
    if raw is not None:
        return {"encoding": "xdr", "payload_base64": base64.b64encode(raw[row]).decode()}
    try:
        return {"encoding": "json", "payload": payloads.value(row)}
    except PluginError:
        return {
            "encoding": "json",
            "payload_base64": base64.b64encode(payloads.json()[row]).decode(),
        }
