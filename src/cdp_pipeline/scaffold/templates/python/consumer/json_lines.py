"""Appends messages to a file."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdpplugin import Context, Message, Retry


class JsonLines:
    """Writes a line for each message, through to the disk."""

    def __init__(self) -> None:
        self.folder = Path()
        self.file: Any = None

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration; the host has checked it against the schema in plugin.yaml."""
        self.folder = Path(config["path"])

    def start(self, context: Context) -> None:
        """Open the file of this pipeline and stage."""
        name = f"{context.pipeline}.{context.stage}.jsonl"
        self.file = (self.folder / name).open("a", encoding="utf-8")

    def consume(self, message: Message) -> None:
        """Write a message; the host takes it for durable when this returns."""
        line = {"id": message.id, "type": message.type, "payload": message.payload}
        try:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise Retry(str(error), after_s=5) from error

    def stop(self) -> None:
        """Close the file; called once, also after a failed start."""
        if self.file is not None:
            self.file.close()
