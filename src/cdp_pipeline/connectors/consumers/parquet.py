"""Save rows as Parquet: a folder a table, whole positions a file, exactly once.

    out/ledgers/0030822015-0030847999-1a2b3c4d.parquet     table, positions, writer
    out/ledgers/closed_date=2020-07-28/...                 with `partition_by: {date: closed_at}`
    out/_cdp/<pipeline>.<stage>.json                       how far everything is durable

Eight hex digits of the SHA-256 of pipeline and stage tell the files of several writers
apart, so that they may share a folder. Age is looked at when a delivery comes: on a
silent stream the host's `flush` writes what waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from cdp_pipeline.connectors.settings import DurationS, Settings, SizeBytes, settings_of
from cdpplugin import Base, Context, Delivery, HealthStatus, PluginMetadata

if TYPE_CHECKING:
    from cdp_pipeline.connectors.consumers.file_store import FileStore
    from cdp_pipeline.connectors.consumers.parquet_tables import ParquetTables
    from cdp_pipeline.connectors.consumers.partition import Partitioning
    from cdp_pipeline.connectors.consumers.rotation import Rotation


class PartitionBy(Settings):
    """One of two rules for folders below a table's own."""

    ledger_range: int = Field(
        0, ge=0, description="positions a folder spans, e.g. `range=30784000-30847999`; 0: none"
    )
    date: str = Field(
        "", description="timestamp column whose day (UTC) names the folder, e.g. `closed_at`"
    )

    @model_validator(mode="after")
    def _one(self) -> PartitionBy:
        if bool(self.ledger_range) == bool(self.date):
            raise ValueError("expected either `ledger_range` or `date`")
        return self


class ParquetSettings(Settings):
    """Configuration of `save-to-parquet`."""

    path: str = Field(
        description="folder, or `s3://`, `gs://` or `az://` URL",
        json_schema_extra={"format": "path"},
        min_length=1,
    )
    tables: list[str] = Field([], description="message types to save; empty: all that come")
    max_rows: int = Field(500_000, ge=1, description="rows a file at most")
    max_bytes: SizeBytes = Field(
        128_000_000, gt=0, description="bytes in memory a table, from which a file is written"
    )
    max_positions: int = Field(
        64_000, ge=1, description="ledgers (or lines) a file; files end at multiples of it"
    )
    max_age: DurationS = Field(600.0, gt=0, description="seconds a row waits for its file")
    compression: Literal["zstd", "snappy", "gzip", "lz4", "none"] = Field(
        "zstd", description="compression within the files"
    )
    partition_by: Literal["none"] | PartitionBy = Field(
        "none", description="folders below a table's: `none`, `ledger_range: N` or `date: COLUMN`"
    )
    message_id: bool = Field(False, description="put column `message_id` in front")
    region: str = Field("", description="S3 region; empty: from the environment")
    endpoint_url: str = Field("", description="another server that speaks S3, GCS or Azure")
    anonymous: bool = Field(False, description="send requests unsigned")
    path_style: bool | None = Field(
        None, description="put the S3 bucket in the path; default: with an `endpoint_url`"
    )
    account: str = Field("", description="Azure storage account; empty: from the environment")
    timeout: DurationS = Field(120.0, gt=0, description="seconds a request to a store may take")


class SaveToParquet(Base):
    """The consumer `save-to-parquet`.

    Attributes:
        clock: Seconds that only grow; replaced by tests.
    """

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self._settings: ParquetSettings
        self._tables: ParquetTables | None = None

    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            name="save-to-parquet",
            version="0.1.0",
            type="consumer",
            description="Save rows as Parquet files, a folder a table, exactly once",
            license="Apache-2.0",
            config_schema=ParquetSettings.model_json_schema(),
        )

    async def configure(self, config: Mapping[str, Any]) -> None:
        self._settings = settings_of(ParquetSettings, config)
        _files(self._settings)

    async def start(self, context: Context) -> None:
        tables = _tables(self._settings, context, lambda: self.clock())  # noqa: PLW0108 - tests replace it
        await asyncio.to_thread(tables.open)
        self._tables = tables

    async def stop(self) -> None:
        self._tables = None

    async def health(self) -> HealthStatus:
        if self._tables is None:
            return HealthStatus()
        facts = {
            "completed_through": self._tables.completed_through,
            "pending_rows": self._tables.pending_rows,
        }
        return HealthStatus(details=facts)

    async def durable_position(self) -> int | None:
        return self._started.completed_through

    async def consume(self, delivery: Delivery) -> int | None:
        return await asyncio.to_thread(self._started.take, delivery)

    async def flush(self) -> int | None:
        return await asyncio.to_thread(self._started.flush)

    async def forget(self, context: Context) -> Sequence[str]:
        from cdp_pipeline.connectors.consumers.parquet_files import forget

        return await asyncio.to_thread(forget, _files(self._settings), context)

    @property
    def _started(self) -> ParquetTables:
        assert self._tables is not None, "`start` comes first"
        return self._tables


def _files(settings: ParquetSettings) -> FileStore:
    from cdp_pipeline.connectors.consumers.file_store import open_files
    from cdp_pipeline.connectors.stellar.lake.address import StoreOptions

    options = StoreOptions(
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        anonymous=settings.anonymous,
        path_style=settings.path_style,
        account=settings.account,
        timeout_s=settings.timeout,
    )
    return open_files(settings.path, options)


def _tables(
    settings: ParquetSettings, context: Context, clock: Callable[[], float]
) -> ParquetTables:
    from cdp_pipeline.connectors.consumers.parquet_tables import ParquetTables

    partitioning = _partitioning(settings)
    return ParquetTables(
        _files(settings),
        context,
        rotation=_rotation(settings, partitioning.positions),
        partitioning=partitioning,
        clock=clock,
        compression=settings.compression,
        tables=settings.tables,
        message_id=settings.message_id,
    )


def _rotation(settings: ParquetSettings, partition_positions: int) -> Rotation:
    from cdp_pipeline.connectors.consumers.rotation import Rotation

    return Rotation(
        max_rows=settings.max_rows,
        max_bytes=settings.max_bytes,
        max_positions=settings.max_positions,
        max_age_s=settings.max_age,
        partition_positions=partition_positions,
    )


def _partitioning(settings: ParquetSettings) -> Partitioning:
    from cdp_pipeline.connectors.consumers import partition

    rule = settings.partition_by
    if rule == "none":
        return partition.NoPartitions()
    if rule.date:
        return partition.DatePartitions(rule.date)
    return partition.RangePartitions(rule.ledger_range)
