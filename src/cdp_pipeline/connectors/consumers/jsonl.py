"""Save messages as lines of JSON: a file a message type, or one file; exactly once.

    out/ledgers.jsonl                     `path: out`
    out/ledgers-00001.jsonl               with `max_bytes`
    all.jsonl                             `path: all.jsonl`
    out/_cdp/<pipeline>.<stage>.json      how far everything is durable

A crash may leave lines that are not durable yet at a file's end: the next start cuts them
off. The interval is looked at when a delivery comes: on a silent stream the host's `flush`
makes durable what was written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from cdp_pipeline.connectors.consumers.json_lines import Content
from cdp_pipeline.connectors.settings import DurationS, Settings, SizeBytes, settings_of
from cdpplugin import Base, Context, Delivery, PluginMetadata

if TYPE_CHECKING:
    from cdp_pipeline.connectors.consumers.line_files import LineFiles


class JsonlSettings(Settings):
    """Configuration of `save-to-jsonl`."""

    path: str = Field(
        description="folder for a file a message type, or one file ending in `.jsonl`",
        json_schema_extra={"format": "path"},
        min_length=1,
    )
    content: Content = Field(
        "payload", description="`payload`: that alone; `message`: id, type, payload and metadata"
    )
    max_bytes: SizeBytes = Field(
        0, description="bytes from which a file is followed by the next, numbered; 0: never"
    )
    max_age: DurationS = Field(
        1.0, description="seconds between two times files are synced and the position stored"
    )

    @field_validator("path")
    @classmethod
    def _local(cls, path: str) -> str:
        if "://" in path:
            raise ValueError("expected a local folder or file; object stores cannot append")
        return path


class SaveToJsonl(Base):
    """The consumer `save-to-jsonl`.

    Attributes:
        clock: Seconds that only grow; replaced by tests.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._settings: JsonlSettings
        self._files: LineFiles | None = None

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="save-to-jsonl",
            version="0.1.0",
            type="consumer",
            description="Save messages as lines of JSON, a file a message type, exactly once",
            license="Apache-2.0",
            config_schema=JsonlSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        self._settings = settings_of(JsonlSettings, config)

    async def start(self, context: Context) -> None:
        from cdp_pipeline.connectors.consumers.line_files import LineFiles

        files = LineFiles(
            self._path,
            context,
            content=self._settings.content,
            max_bytes=self._settings.max_bytes,
            sync_interval_s=self._settings.max_age,
            clock=lambda: self.clock(),  # noqa: PLW0108 - tests replace it
        )
        await asyncio.to_thread(files.open)
        self._files = files

    async def stop(self) -> None:
        if self._files is not None:
            await asyncio.to_thread(self._files.close)
            self._files = None

    async def durable_position(self) -> int | None:
        return self._started.completed_through

    async def consume(self, delivery: Delivery) -> int | None:
        return await asyncio.to_thread(self._started.take, delivery)

    async def flush(self) -> int | None:
        return await asyncio.to_thread(self._started.flush)

    async def forget(self, context: Context) -> Sequence[str]:
        from cdp_pipeline.connectors.consumers.line_files import forget

        return await asyncio.to_thread(forget, self._path, context)

    @property
    def _path(self) -> Path:
        return Path(self._settings.path).expanduser()

    @property
    def _started(self) -> LineFiles:
        assert self._files is not None, "`start` comes first"
        return self._files
