"""The reference processor: it does what the key `do` of each payload says."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configuration import checked, schema
from instructions import INSTRUCTIONS, instruction, start_failure

from cdpplugin import (
    Context,
    Drop,
    HealthStatus,
    Message,
    PluginError,
    PluginMetadata,
    SourceInfo,
    get_logger,
)
from cdpplugin.function import FunctionProcessor

# A WebAssembly component has no files.
DIARY: dict[str, Any] = (
    {}
    if sys.platform == "wasi"
    else {
        "diary": {"type": "string", "default": "", "description": "File to note start and stop in."}
    }
)

METADATA = PluginMetadata(
    "cdp-reference-processor",
    "1.0.0",
    "processor",
    description="Does what a payload asks for",
    license="Apache-2.0",
    config_schema=schema(
        greeting={"type": "string", "description": "Any text."},
        extra={"description": "Any value."},
        start={"enum": ["", *INSTRUCTIONS], "default": "", "description": "How its start fails."},
        **DIARY,
    ),
)

Answer = Message | list[Message] | None


class ReferenceProcessor(FunctionProcessor):
    """Does what a payload asks for; several calls may run at once."""

    def __init__(self) -> None:
        super().__init__(METADATA, self.work)
        self._status = HealthStatus()
        self._changes = 0
        self._count = 0
        self._turn = threading.Lock()
        self._log = get_logger(plugin=METADATA.name)

    async def configure(self, config: Mapping[str, Any]) -> None:
        """Take the configuration."""
        self._settings = checked(config, METADATA.config_schema)
        self.config = dict(config)

    async def start(self, context: Context) -> None:
        """Keep the context, or fail as the configuration says."""
        if self._settings["start"]:
            raise start_failure(self._settings["start"])
        self._context = context
        self._note("start")

    async def stop(self) -> None:
        """Note it."""
        self._note("stop")

    def _note(self, word: str) -> None:
        diary = getattr(self, "_settings", {}).get("diary")
        if diary:
            with Path(diary).open("a", encoding="utf-8") as file:
                file.write(word + "\n")

    async def health(self) -> HealthStatus:
        """Say what was last asked for."""
        return self._status

    async def export_state(self) -> bytes:
        """Return the count."""
        return str(self._count).encode()

    async def import_state(self, state: bytes) -> None:
        """Take the count."""
        self._count = int(state)

    def work(self, message: Message) -> Answer:
        """Do what the payload asks for; what asks for nothing passes."""
        payload = message.payload
        if not isinstance(payload, dict) or "do" not in payload:
            return message
        action = getattr(self, f"do_{payload['do']}", None)
        if payload["do"] in INSTRUCTIONS:
            raise instruction(payload["do"], payload)
        if action is None:
            raise PluginError(f"unknown action `{payload['do']}`", code="reference.unknown")
        answer: Answer = action(message, payload)
        return answer

    def do_echo(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Pass as it came."""
        return message

    def do_drop(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Leave out, with a reason or without."""
        if "reason" in payload:
            raise Drop(payload["reason"])
        return None

    def do_many(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Give `count` new messages."""
        own = payload.get("ids", False)
        return [
            Message(
                id=f"{message.id}/{index}" if own else "",
                type="Reference.Part",
                payload={"index": index},
            )
            for index in range(payload["count"])
        ]

    def do_set(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Change attributes of the message."""
        for name in ("id", "type", "content_type", "trace_id"):
            if name in payload:
                setattr(message, name, payload[name])
        if "source" in payload:
            message.source = SourceInfo(**payload["source"])
        return message

    def do_rewrite(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Write the payload anew."""
        message.payload = {**payload, "rewritten": True}
        return message

    def do_metadata(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Set metadata, or a mark that they were seen."""
        message.metadata.update(payload.get("set", {"seen": True}))
        return message

    def do_big(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Give a text of `size_bytes`."""
        message.payload = {"text": "x" * payload["size_bytes"]}
        return message

    def do_describe(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Tell what the message holds."""
        message.payload = {
            "id": message.id,
            "type": message.type,
            "metadata": dict(message.metadata),
            "source": asdict(message.source),
            "trace_id": message.trace_id,
            "content_type": message.content_type,
        }
        return message

    def do_config(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Tell the configuration."""
        message.payload = self.config
        return message

    def do_context(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Tell the context."""
        message.payload = asdict(self._context)
        return message

    def do_count(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Count the messages that ask for this."""
        with self._turn:
            self._count += 1
            message.payload = {"count": self._count}
        return message

    def do_health(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Be as asked from now on."""
        self._changes += 1
        details = {"changes": self._changes, "é": ["text", None, True]}
        self._status = HealthStatus(payload["status"], payload["message"], details)
        return message

    def do_log(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Write `lines` log lines."""
        for line in range(payload["lines"]):
            self._log.debug("a line of the reference processor", line=line)
        return message

    def do_sleep(self, message: Message, payload: dict[str, Any]) -> Answer:
        """Pass after `seconds`."""
        time.sleep(payload["seconds"])
        return message
