"""Where messages go that no stage could take: one JSON object a line, durable at once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_pipeline.engine.checkpoint import replace_file
from cdp_pipeline.engine.parcel import Part
from cdpplugin import PluginError, decode_json, encode_json

_BEHIND_ALL = 2**63


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
        line = encode_json(letter) + b"\n"
        async with self._lock:
            await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            whole = file.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)
                raise


def _position(line: bytes) -> int:
    """Return the position of a letter; that of a torn last line lies behind every mark."""
    try:
        return int(json.loads(line)["position"]) if line.endswith(b"\n") else _BEHIND_ALL
    except (ValueError, KeyError, TypeError):
        return _BEHIND_ALL


def _letter(part: Part, row: int, error: PluginError) -> dict[str, Any]:
    batch = part.batch
    return {
        "id": batch.ids[row],
        "type": batch.types[row],
        "position": part.positions[row],
        "error": {"code": error.code, "message": str(error), "hint": error.hint},
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "metadata": _metadata(batch.metadata[row]),
        **_payload(part, row),
    }


def _metadata(metadata: Mapping[str, Any]) -> Any:
    try:
        return decode_json(encode_json(metadata))
    except PluginError as error:
        return {"unreadable": str(error)}


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
