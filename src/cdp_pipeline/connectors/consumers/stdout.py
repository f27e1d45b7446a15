"""Print messages, a line of JSON each; at least once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import Field

from cdp_pipeline.connectors.consumers.json_lines import Content, json_lines
from cdp_pipeline.connectors.settings import Settings, settings_of
from cdpplugin import Base, Delivery, Fatal, PluginMetadata


class StdoutSettings(Settings):
    """Configuration of `stdout`."""

    content: Content = Field(
        "message", description="`message`: id, type, payload and metadata; `payload`: that alone"
    )


class StdoutClosed(Fatal):
    """Whoever read the output has gone, as `head` does when it has enough."""

    code = "stdout.closed"

    def __init__(self) -> None:
        super().__init__("`stdout` was closed by its reader")


class Stdout(Base):
    """The consumer `stdout`."""

    def __init__(self) -> None:
        self._content: Content = "message"

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="stdout",
            version="0.1.0",
            type="consumer",
            description="Print messages, a line of JSON each, at least once",
            license="Apache-2.0",
            config_schema=StdoutSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        self._content = settings_of(StdoutSettings, config).content

    async def consume(self, delivery: Delivery) -> int | None:
        if len(delivery.batch):
            await asyncio.to_thread(self._print, delivery)
        return delivery.completed_through

    def _print(self, delivery: Delivery) -> None:
        text = b"".join(json_lines(delivery.batch, self._content))
        try:
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _silence()
            raise StdoutClosed from None


def _silence() -> None:
    """Point stdout to nowhere, so that Python's own flush at exit does not complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
