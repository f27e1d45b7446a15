"""The Arrow schema of each table: names and values of stellar-etl and Hubble.

`details`, `topics_decoded` and `data_decoded` are JSON text. `details_json` of stellar-etl is a
copy of `details` and is left out. Integers are int64, as in BigQuery.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
_TYPES: Final[dict[str, pa.DataType]] = {
    "int": pa.int64(),
    "text": pa.string(),
    "json": pa.string(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": TIMESTAMP,
    "texts": pa.list_(pa.string()),
    "ints": pa.list_(pa.int64()),
}

_COLUMNS: Final[dict[str, str]] = {
    "ledgers": """
        sequence:int ledger_hash:text previous_ledger_hash:text ledger_header:text
        transaction_count:int operation_count:int successful_transaction_count:int
        failed_transaction_count:int tx_set_operation_count:text closed_at:time total_coins:int
        fee_pool:int base_fee:int base_reserve:int max_tx_set_size:int protocol_version:int id:int
        soroban_fee_write_1kb:int node_id:text signature:text total_byte_size_of_bucket_list:int
        total_byte_size_of_live_soroban_state:int evicted_ledger_keys_type:texts
        evicted_ledger_keys_hash:texts
    """,
    "transactions": """
        transaction_hash:text ledger_sequence:int account:text account_muxed:text
        account_sequence:int max_fee:int fee_charged:int operation_count:int tx_envelope:text
        tx_result:text tx_meta:text tx_fee_meta:text created_at:time memo_type:text memo:text
        time_bounds:text successful:bool id:int fee_account:text fee_account_muxed:text
        inner_transaction_hash:text new_max_fee:int ledger_bounds:text min_account_sequence:int
        min_account_sequence_age:int min_account_sequence_ledger_gap:int extra_signers:texts
        closed_at:time resource_fee:int soroban_resources_instructions:int
        soroban_resources_read_bytes:int soroban_resources_disk_read_bytes:int
        soroban_resources_write_bytes:int soroban_resources_archived_entries:ints
        transaction_result_code:text inclusion_fee_bid:int inclusion_fee_charged:int
        resource_fee_refund:int non_refundable_resource_fee_charged:int
        refundable_resource_fee_charged:int rent_fee_charged:int tx_signers:texts
    """,
    "operations": """
        source_account:text source_account_muxed:text type:int type_string:text details:json
        transaction_id:int id:int closed_at:time operation_result_code:text
        operation_trace_code:text ledger_sequence:int
    """,
    "token_transfers": """
        transaction_hash:text transaction_id:int operation_id:int event_topic:text from:text to:text
        asset:text asset_type:text asset_code:text asset_issuer:text amount:float amount_raw:text
        contract_id:text ledger_sequence:int closed_at:time to_muxed:text to_muxed_id:text
    """,
    "contract_events": """
        transaction_hash:text transaction_id:int successful:bool ledger_sequence:int closed_at:time
        in_successful_contract_call:bool contract_id:text type:int type_string:text topics:texts
        topics_decoded:json data:text data_decoded:json contract_event_xdr:text operation_id:int
    """,
}


def _pairs(table: str) -> list[tuple[str, str]]:
    pairs = (column.partition(":") for column in _COLUMNS[table].split())
    return [(name, kind) for name, _, kind in pairs]


SCHEMAS: Final[dict[str, pa.Schema]] = {
    table: pa.schema([(name, _TYPES[kind]) for name, kind in _pairs(table)]) for table in _COLUMNS
}
JSON_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    table: tuple(name for name, kind in _pairs(table) if kind == "json") for table in _COLUMNS
}
# Columns that a JSON row leaves out where they do not apply, as stellar-etl does.
OPTIONAL_COLUMNS: Final[dict[str, frozenset[str]]] = {
    "transactions": frozenset(
        {
            "account_muxed",
            "fee_account",
            "fee_account_muxed",
            "inner_transaction_hash",
            "new_max_fee",
        }
    ),
    "operations": frozenset({"source_account_muxed"}),
}
TABLES: Final = tuple(SCHEMAS)
_NO_CONSTANTS: Final[Mapping[str, int]] = {}


def record_batch(
    table: str, rows: Sequence[tuple[Any, ...]], constants: Mapping[str, int] = _NO_CONSTANTS
) -> pa.RecordBatch:
    """Build a table's batch from tuples in the order of its columns; times are microseconds.

    Columns named in `constants` hold one value throughout and are not part of the tuples.
    """
    schema = SCHEMAS[table]
    width = len(schema) - len(constants)
    columns = iter(zip(*rows, strict=True) if rows else ((),) * width)
    arrays = [
        pa.repeat(pa.scalar(constants[field.name], field.type), len(rows))
        if field.name in constants
        else pa.array(next(columns), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
