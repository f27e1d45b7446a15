"""Write rows to a DuckDB file, a table a message type, exactly once.

The file is held by one process while the pipeline runs: DuckDB lets nobody else open it,
not even to read. Measured on two cores: 137,000 rows/s of 20 columns in commits of 10,000
rows, 290,000 where a replay replaces them. A plain insert instead of the upsert is 1.5 times
as fast, which is not worth a second path that must know that no row is there yet; a table
without the key is three times as fast. The key's index costs about 140 bytes a row on disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from cdp_pipeline.connectors.consumers.sql import SqlConsumer, SqlSettings
from cdp_pipeline.connectors.consumers.sql_store import Store
from cdp_pipeline.connectors.settings import SizeBytes
from cdpplugin import Context, PluginMetadata


class DuckdbSettings(SqlSettings):
    """Configuration of `save-to-duckdb`."""

    path: Path = Field(
        description="The database file; it and its folder are created where they are missing."
    )
    memory_limit: SizeBytes | None = Field(
        default=None,
        description="Memory that DuckDB may use, e.g. `1GB`; by default 80 % of the machine's.",
    )

    @field_validator("path")
    @classmethod
    def _on_disk(cls, path: Path) -> Path:
        if str(path).startswith(":memory:"):
            raise ValueError(f"expected a file, got `{path}`, which would be lost at the end")
        return path


class SaveToDuckdb(SqlConsumer):
    """The consumer `save-to-duckdb`."""

    settings_model = DuckdbSettings

    def metadata(self) -> PluginMetadata:
        """Say who it is."""
        return PluginMetadata(
            "save-to-duckdb",
            "0.1.0",
            "consumer",
            "Writes rows to a DuckDB file, a table a message type, exactly once",
            license="Apache-2.0",
            config_schema=DuckdbSettings.model_json_schema(),
            input_encoding="arrow",
        )

    def store_of(self, settings: Any, context: Context) -> Store:
        """Return the file; it is not opened yet."""
        from cdp_pipeline.connectors.consumers.duckdb_store import DuckdbStore

        return DuckdbStore(
            settings.path,
            pipeline=context.pipeline,
            stage=context.stage,
            memory_limit_bytes=settings.memory_limit,
        )
