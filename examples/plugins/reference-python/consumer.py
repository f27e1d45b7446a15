"""The reference consumer: it keeps its rows in a file, each once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configuration import checked, schema
from instructions import INSTRUCTIONS, instruction

from cdpplugin import Base, Context, Delivery, Message, PluginMetadata, views

METADATA = PluginMetadata(
    "cdp-reference-consumer",
    "1.0.0",
    "consumer",
    description="Keeps its rows in a file",
    license="Apache-2.0",
    config_schema=schema(
        ["path"],
        path={"type": "string", "description": "Folder of the file."},
        hold_back={"type": "boolean", "default": False, "description": "Keep until flushed."},
    ),
)


class ReferenceConsumer(Base):
    """Keeps its rows in `PATH/PIPELINE.STAGE.json`, which is replaced as a whole."""

    def __init__(self) -> None:
        self._position = -1
        self._taken = -1
        self._rows: list[dict[str, Any]] = []
        self._refusals: dict[str, int] = {}

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return METADATA

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration."""
        self._settings = checked(config, METADATA.config_schema)

    async def start(self, context: Context) -> None:
        """Read what is held already."""
        self._file = self._file_of(context)
        held = _read(self._file)
        self._position = self._taken = held["position"]
        self._rows = held["rows"]

    def _file_of(self, context: Context) -> Path:
        return Path(self._settings["path"]) / f"{context.pipeline}.{context.stage}.json"

    async def durable_position(self) -> int:
        """Return the position in the file."""
        return self._position

    def consume(self, delivery: Delivery) -> int | None:
        """Take the rows that are new; keep them, unless they are held back."""
        fresh = delivery.after(self._position)
        messages = list(views(fresh.batch))
        for message in messages:
            self._obey(message)
        for message, position in zip(messages, fresh.positions, strict=True):
            self._rows.append(_row(message, position))
        self._taken = max(self._taken, delivery.completed_through)
        return None if self._settings["hold_back"] else self._commit()

    def _obey(self, message: Message) -> None:
        payload = message.payload
        action = payload.get("do") if isinstance(payload, dict) else None
        if action == "sleep":
            time.sleep(payload["seconds"])
        elif action in INSTRUCTIONS:
            self._refusals[message.id] = self._refusals.get(message.id, 0) + 1
            if self._refusals[message.id] <= payload.get("times", float("inf")):
                raise instruction(action, payload)

    async def flush(self) -> int:
        """Make durable what was held back."""
        return self._commit()

    def _commit(self) -> int:
        """Write the file."""
        text = json.dumps({"position": self._taken, "rows": self._rows}, ensure_ascii=False)
        draft = self._file.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
        self._position = self._taken
        return self._position

    async def forget(self, context: Context) -> Sequence[str]:
        """Remove the file."""
        file = self._file_of(context)
        rows = len(_read(file)["rows"])
        file.unlink(missing_ok=True)
        return [f"forgot {rows} rows of `{context.pipeline}.{context.stage}`"]


def _read(file: Path) -> Any:
    if not file.exists():
        return {"position": -1, "rows": []}
    return json.loads(file.read_text("utf-8"))


def _row(message: Message, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "id": message.id,
        "type": message.type,
        "payload": message.payload,
        "metadata": message.metadata,
        "source": asdict(message.source),
        "trace_id": message.trace_id,
        "content_type": message.content_type,
    }
