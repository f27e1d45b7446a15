"""The ancestor's sources and what each becomes. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from cdp_pipeline.scaffold.ancestor.counterpart import (
    POOL,
    RETRIED,
    Counterpart,
    Dropped,
    Key,
    Lacking,
    Option,
    none,
)

SOURCE_OPTIONS: Mapping[str, Option] = {
    "num_workers": Key("parallel_files"),
    "region": Key("region"),
    "endpoint": Key("endpoint_url"),
    "endpoint_url": Key("endpoint_url"),
    "force_path_style": Key("path_style"),
    "buffer_size": Dropped("`buffer_bytes` bounds what is held ahead, 256 MiB by default"),
    "max_open_conns": POOL,
    "max_idle_conns": POOL,
    "retry_limit": RETRIED,
    "retry_wait": RETRIED,
    "access_token": Lacking(
        "credentials come from the environment: GOOGLE_APPLICATION_CREDENTIALS"
    ),
    "aws_access_key_id": Lacking("credentials come from the environment: AWS_ACCESS_KEY_ID"),
    "aws_secret_access_key": Lacking(
        "credentials come from the environment: AWS_SECRET_ACCESS_KEY"
    ),
}
"""Options of sources that read a lake, beside where it is and which ledgers."""

LAKES: Mapping[str, str] = {
    "BufferedStorageSourceAdapter": "gs",
    "GCSBufferedStorageSourceAdapter": "gs",
    "S3BufferedStorageSourceAdapter": "s3",
    "FSBufferedStorageSourceAdapter": "",
}
"""Sources that become `galexie`, and the scheme of their bucket."""

PUBLIC_LAKES: Mapping[str, Mapping[str, str]] = {
    name: {
        "path": f"s3://aws-public-blockchain/v1.1/stellar/ledgers/{name}",
        "region": "us-east-2",
    }
    for name in ("pubnet", "testnet")
}
"""Lakes that anybody may read (Stellar's documentation of Galexie providers)."""

_READ_A_LAKE = "read the same ledgers from a lake with `galexie`"
OTHER_SOURCES: Mapping[str, Counterpart] = {
    "CaptiveCoreInboundAdapter": none(
        "the host starts no stellar-core",
        "run stellar-core yourself with METADATA_OUTPUT_STREAM set to a named pipe and read "
        f"that with `stdin`, or {_READ_A_LAKE}",
    ),
    "SorobanSourceAdapter": none("there is no source for Stellar RPC", _READ_A_LAKE),
    "RPCSourceAdapter": none("there is no source for Stellar RPC", _READ_A_LAKE),
    "BronzeSourceAdapter": none(
        "there is no source for a bronze Parquet lake", f"{_READ_A_LAKE} that it was made from"
    ),
    "DuckLakeSourceAdapter": none(
        "there is no source for DuckLake tables",
        "copy the query's answer to a file of JSON lines and read that with `jsonl`",
    ),
}
