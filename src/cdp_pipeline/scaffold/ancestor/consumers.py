"""The ancestor's consumers and what each becomes. Data only.

The place that `SaveToParquet` writes to is put together from several options: see `stages`.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.scaffold.ancestor.counterpart import (
    DRY_RUN,
    POOL,
    RETRIED,
    Counterpart,
    Dropped,
    Key,
    Lacking,
    Option,
    none,
)

_TABLES = Dropped("a table a message type, made where it is missing: see `tables`")
_TABLE_NAME = Lacking("give the table its name under `tables: {MESSAGE_TYPE: NAME}`")
_PARQUET: Mapping[str, Option] = {
    "compression": Key("compression"),
    "region": Key("region"),
    "max_file_size_mb": Key("max_bytes", "{}MB"),
    "buffer_size": Key("max_rows"),
    "rotation_interval_minutes": Key("max_age", "{}m"),
    "schema_evolution": Dropped("the columns of a table are fixed"),
    "include_metadata": Dropped("rows hold their ledger and time"),
    "dry_run": DRY_RUN,
}
_POSTGRESQL: Mapping[str, Option] = {
    "host": Key("host"),
    "port": Key("port"),
    "database": Key("database"),
    "dbname": Key("database"),
    "username": Key("user"),
    "user": Key("user"),
    "password": Key("password"),
    "sslmode": Key("sslmode"),
    "connect_timeout": Key("connect_timeout", "{}s"),
    "connection_string": Key("dsn"),
    "connection": Key("dsn"),
    "batch_size": Key("commit_rows"),
    "buffer_size": Key("commit_rows"),
    "flush_interval_ms": Key("commit_interval", "{}ms"),
    "flush_interval_seconds": Key("commit_interval", "{}s"),
    "max_retries": RETRIED,
    "retry_delay_ms": RETRIED,
    "max_open_conns": POOL,
    "max_idle_conns": POOL,
    "create_table": _TABLES,
    "create_schema": _TABLES,
    "drop_existing": Lacking("drop the tables yourself before the first run", False),
    "table_name": _TABLE_NAME,
    "table": _TABLE_NAME,
}
_DUCKDB: Mapping[str, Option] = {
    "db_path": Key("path"),
    "database_path": Key("path"),
    "batch_size": Key("commit_rows"),
    "create_table": _TABLES,
    "table_name": _TABLE_NAME,
}
_TYPED = "a table a message type, with the columns of the rows; the ancestor's table stays as it is"
_TO_POSTGRESQL = Counterpart(stage="save-to-postgresql", options=_POSTGRESQL, note=_TYPED)
_TO_DUCKDB = Counterpart(stage="save-to-duckdb", options=_DUCKDB, note=_TYPED)
_REDIS = none("there is no consumer for Redis")
_EXCEL = none(
    "there is no consumer for Excel files",
    "save with `save-to-duckdb`, then let DuckDB write one: `COPY t TO 'f.xlsx' (FORMAT xlsx)`",
)
_DUCKLAKE = none(
    "there is no consumer for DuckLake",
    "save with `save-to-parquet`; DuckDB reads the folders, and DuckLake can take the files in",
)

CONSUMERS: Mapping[str, Counterpart] = {
    "SaveToParquet": Counterpart(stage="save-to-parquet", options=_PARQUET),
    "SaveToLedgerParquet": none(
        "whole ledgers are not saved as Parquet",
        "put `rows` in front of `save-to-parquet`: a table each of ledgers, transactions, "
        "operations and events",
    ),
    "SaveToGCS": none(
        "there is no consumer that writes single objects",
        "use `save-to-parquet` with `path: gs://BUCKET/PREFIX`",
    ),
    "SaveToExcel": _EXCEL,
    "SaveLatestLedgerToExcel": _EXCEL,
    "SaveToDuckLake": _DUCKLAKE,
    "SaveToDuckLakeEnhanced": _DUCKLAKE,
    "SilverIngester": _DUCKLAKE,
    "BronzeToDuckDB": none("bronze tables are not read"),
    "SaveToPostgreSQL": _TO_POSTGRESQL,
    "SaveToPostgreSQLBronze": Counterpart(
        stage="save-to-postgresql",
        options={
            **_POSTGRESQL,
            "enable_partitioning": Lacking("partition the tables in the database", False),
            "enable_retention": Lacking(
                "delete old rows in the database, for example by cron", False
            ),
            "retention_days": Dropped("see `enable_retention`"),
            "retention_interval": Dropped("see `enable_retention`"),
        },
        note=_TYPED,
    ),
    "BufferedPostgreSQL": _TO_POSTGRESQL,
    "WalletBackendPostgreSQL": _TO_POSTGRESQL,
    "SaveAssetToPostgreSQL": _TO_POSTGRESQL,
    "SaveAssetEnrichment": _TO_POSTGRESQL,
    "SavePaymentToPostgreSQL": _TO_POSTGRESQL,
    "SaveAccountDataToPostgreSQL": _TO_POSTGRESQL,
    "SaveContractEventsToPostgreSQL": _TO_POSTGRESQL,
    "SaveSoroswapToPostgreSQL": _TO_POSTGRESQL,
    "SaveContractInvocationsToPostgreSQL": _TO_POSTGRESQL,
    "SaveExtractedContractInvocationsToPostgreSQL": _TO_POSTGRESQL,
    "SaveEventPaymentToPostgreSQL": _TO_POSTGRESQL,
    "SaveContractDataToPostgreSQL": Counterpart(
        stage="save-to-postgresql",
        options={
            **_POSTGRESQL,
            "fields": Lacking("choose and name fields with the processor `map` in front"),
            "indexes": Lacking("create the indexes in the database"),
        },
        note=_TYPED,
    ),
    "SaveToDuckDB": _TO_DUCKDB,
    "SaveContractToDuckDB": _TO_DUCKDB,
    "SaveSoroswapPairsToDuckDB": _TO_DUCKDB,
    "SaveSoroswapRouterToDuckDB": _TO_DUCKDB,
    "SaveAccountDataToDuckDB": _TO_DUCKDB,
    "SaveToTimescaleDB": Counterpart(
        stage="save-to-postgresql",
        options=_POSTGRESQL,
        note="TimescaleDB is PostgreSQL: make a hypertable of the table yourself",
    ),
    "SaveToClickHouse": none(
        "there is no consumer for ClickHouse",
        "save with `save-to-parquet`; ClickHouse reads the folders with `s3(...)` or `file(...)`",
    ),
    "SaveToMongoDB": none("there is no consumer for MongoDB"),
    "SaveToRedis": _REDIS,
    "SavePaymentsToRedis": _REDIS,
    "SaveLatestLedgerToRedis": _REDIS,
    "SaveToRedisOrderbook": _REDIS,
    "SaveToMarketAnalytics": _REDIS,
    "SaveToZeroMQ": none("there is no consumer for ZeroMQ"),
    "SaveToWebSocket": none("there is no WebSocket server"),
    "PublishToGooglePubSub": none("there is no consumer for Google Pub/Sub"),
    "PublishToGooglePubSubV2": none("there is no consumer for Google Pub/Sub"),
    "NotificationDispatcher": none(
        "nothing is sent to Slack, SendGrid or a webhook",
        "write it as a plugin; examples/plugins/notifier sends mails",
    ),
    "AnthropicClaude": none("no language model is asked"),
    "StdoutConsumer": Counterpart(stage="stdout"),
    "DebugLogger": Counterpart(stage="stdout"),
    "LogDebug": Counterpart(stage="stdout"),
}
