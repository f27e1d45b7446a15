"""The short names of the ancestor's v2 files. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SOURCES = {
    "FSBufferedStorageSourceAdapter": "file fs local",
    "S3BufferedStorageSourceAdapter": "s3 aws",
    "BufferedStorageSourceAdapter": "gs gcs gcp google bucket storage",
    "CaptiveCoreInboundAdapter": "stellar stellar_core captive_core core",
    "RPCSourceAdapter": "rpc stellar_rpc",
    "SorobanSourceAdapter": "soroban soroban_rpc",
}
_PROCESSORS = {
    "CreateAccount": "account_create create_account",
    "AccountData": "account_data",
    "ProcessAccountDataFull": "account_info account_data_full",
    "AccountTransaction": "account_tx account_transaction",
    "AccountDataFilter": "account_filter account_data_filter",
    "AccountYearAnalytics": "account_year account_analytics",
    "AccountEffect": "account_effect account_effects",
    "FilterPayments": "payments payment_filter filter_payments",
    "TransformToAppPayment": "payment_transform transform_payment app_payment",
    "TransformToAppTrade": "trades trade_transform app_trade",
    "MarketMetricsProcessor": "market_metrics market_stats",
    "TransformToMarketCapProcessor": "market_cap",
    "TransformToMarketAnalytics": "market_analytics",
    "TransformToAppTrustline": "trustline trustline_transform app_trustline",
    "TransformToAssetStats": "asset_stats",
    "TransformToTokenPrice": "token_price",
    "TransformToTickerAsset": "ticker_asset",
    "TransformToTickerOrderbook": "ticker_orderbook",
    "AssetEnrichment": "asset_enrichment enrich_asset",
    "ContractData": "contract_data contracts",
    "ContractLedgerReader": "contract_ledger",
    "ContractInvocation": "contract_invocation invocations",
    "ContractCreation": "contract_creation",
    "ContractEvent": "contract_event contract_events",
    "ContractFilter": "contract_filter filter_contracts",
    "FilteredContractInvocation": "filtered_invocation",
    "ContractInvocationExtractor": "contract_extractor",
    "LedgerReader": "ledger ledger_reader",
    "LatestLedger": "latest_ledger",
    "LedgerChanges": "ledger_changes",
    "LatestLedgerRPC": "ledger_rpc latest_ledger_rpc",
    "FilterEventsProcessor": "events event_filter filter_events",
    "GetEventsRPC": "events_rpc get_events",
    "TransformToAppMetrics": "metrics app_metrics",
    "TransformToAppAccount": "app_account transform_account",
    "BlankProcessor": "blank passthrough",
    "StdoutSink": "stdout debug",
    "Soroswap": "soroswap",
    "SoroswapRouter": "soroswap_router",
    "Kale": "kale",
    "BronzeExtractors": "SilverLedgerReader",
}
_CONSUMERS = {
    "SaveToParquet": "gs s3 parquet parquet_archive",
    "SaveToExcel": "excel xlsx",
    "SaveToPostgreSQL": "postgres postgresql pg",
    "SaveToMongoDB": "mongo mongodb",
    "SaveToDuckDB": "duckdb duck",
    "SaveToClickHouse": "clickhouse click",
    "SaveToTimescaleDB": "timescale timescaledb",
    "SaveToRedis": "redis cache",
    "SaveToRedisOrderbook": "redis_orderbook orderbook_cache",
    "SaveToZeroMQ": "zeromq zmq",
    "SaveToWebSocket": "websocket ws",
    "SaveToGCS": "gcs google_storage",
    "SaveContractToDuckDB": "contract_duckdb",
    "SaveAssetToPostgreSQL": "asset_postgres",
    "SaveAssetEnrichment": "asset_enrichment_db",
    "SavePaymentToPostgreSQL": "payment_postgres",
    "SavePaymentsToRedis": "payment_redis",
    "SaveLatestLedgerToRedis": "latest_ledger_redis",
    "SaveLatestLedgerToExcel": "latest_ledger_excel",
    "SaveAccountDataToPostgreSQL": "account_postgres",
    "SaveAccountDataToDuckDB": "account_duckdb",
    "SaveContractEventsToPostgreSQL": "contract_events_postgres",
    "SaveContractInvocationsToPostgreSQL": "contract_invocations_postgres",
    "SaveExtractedContractInvocationsToPostgreSQL": "extracted_invocations_postgres",
    "SaveContractDataToPostgreSQL": "contract_data_postgres",
    "SaveSoroswapToPostgreSQL": "soroswap_postgres",
    "SaveSoroswapPairsToDuckDB": "soroswap_pairs_duckdb",
    "SaveSoroswapRouterToDuckDB": "soroswap_router_duckdb",
    "SaveToMarketAnalytics": "market_analytics",
    "NotificationDispatcher": "notification notify alerts",
    "AnthropicClaude": "claude anthropic",
    "StdoutConsumer": "stdout console",
    "DebugLogger": "debug logger",
}


def _by_alias(names: Mapping[str, str]) -> dict[str, str]:
    return {alias: kind for kind, aliases in names.items() for alias in aliases.split()}


ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "source": _by_alias(_SOURCES),
    "processor": _by_alias(_PROCESSORS),
    "consumer": _by_alias(_CONSUMERS),
}
"""Type by short name, for each kind of component."""

FIELD_ALIASES: Final = {
    "bucket": "bucket_name",
    "path": "path_prefix",
    "prefix": "path_prefix",
    "workers": "num_workers",
    "threads": "num_workers",
    "buffer": "buffer_size",
    "batch": "batch_size",
    "min": "min_amount",
    "max": "max_amount",
    "compress": "compression",
    "compression_type": "compression",
    "partition": "partition_by",
    "partitioning": "partition_by",
    "connection": "connection_string",
    "conn": "connection_string",
    "db": "connection_string",
    "net": "network",
    "rotation": "rotation_interval_minutes",
    "interval": "rotation_interval_minutes",
}
"""Option by short name.

`database` is left out: the ancestor took the name of a database for its address.
"""
