"""Rows of pubnet 30822015 to 30822025 equal those of stellar-etl, the reference exporter."""

from __future__ import annotations

import json
import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from cdp_pipeline.connectors.stellar.rows import SCHEMAS, extract, to_json_rows

DATA = Path(os.environ.get("CDP_TEST_DATA", Path(__file__).parents[2] / "../shared/data"))
GOLDEN = DATA / "golden/stellar-etl"
LAKE = DATA / "lake_1x64000/ledgers/pubnet"
NETWORK_ID = sha256(b"Public Global Stellar Network ; September 2015").digest()
SEQUENCES = range(30822015, 30822026)
BATCH_HEADER_BYTES = 12

FILES = {
    "ledgers": "10_ledgers.golden",
    "transactions": "10_ledgers_txs.golden",
    "operations": "10_ledgers_ops.golden",
    "token_transfers": "10_ledgers_token_transfers.golden",
}
COUNTS = {"ledgers": 11, "transactions": 650, "operations": 2085, "token_transfers": 668}
# Golden columns that are not compared, with the reason.
LEFT_OUT = {"operations": {"details_json": "always the same object as `details`"}}

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"no golden rows at {GOLDEN}; set CDP_TEST_DATA"
)


def ledger_xdr(sequence: int) -> bytes:
    (path,) = LAKE.glob(f"*/*--{sequence}.xdr.zst")
    batch = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    return batch[BATCH_HEADER_BYTES:]


@cache
def extracted() -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in FILES}
    for sequence in SEQUENCES:
        tables = extract(ledger_xdr(sequence), network_id=NETWORK_ID, tables=list(FILES)).tables
        for table, batch in tables.items():
            rows[table] += map(json.loads, to_json_rows(table, batch))
    return rows


def golden(table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / FILES[table]).read_text().splitlines()]


def in_order(rows: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """The golden lines are sorted as text, not as applied, so both sides are sorted by key.

    `id` is unique in three tables; a token transfer has none, so its whole row is its key.
    """
    if table == "token_transfers":
        return sorted(rows, key=lambda row: json.dumps(_normal(row), sort_keys=True))
    return sorted(rows, key=lambda row: int(row["id"]))


def _normal(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "amount": float(row["amount"])}


@pytest.mark.parametrize("table", FILES)
def test_as_many_rows_as_the_reference(table: str) -> None:
    """11 ledgers, 650 transactions, 2085 operations and 668 token transfers, no more, no fewer."""
    assert COUNTS[table] == len(extracted()[table]) == len(golden(table))


@pytest.mark.parametrize("table", FILES)
def test_every_golden_column_is_a_column(table: str) -> None:
    """Only the columns of LEFT_OUT are missing, each for its reason."""
    golden_columns = {name for row in golden(table) for name in row}

    assert set(LEFT_OUT.get(table, ())) == golden_columns - set(SCHEMAS[table].names)


@pytest.mark.parametrize("table", FILES)
def test_the_left_out_columns_hold_nothing_of_their_own(table: str) -> None:
    """`details_json` is `details` again, so nothing is lost."""
    for row in golden(table):
        for name in LEFT_OUT.get(table, ()):
            assert row["details"] == row[name]


@pytest.mark.parametrize("table", FILES)
def test_rows_equal_the_golden_rows(table: str) -> None:
    """Every column both have is equal in every row, details included, and no row has others."""
    left_out = LEFT_OUT.get(table, {})
    expected = [
        {name: value for name, value in row.items() if name not in left_out}
        for row in in_order(golden(table), table)
    ]

    assert expected == in_order(extracted()[table], table)
