"""Writes rows as JSON objects in the form stellar-etl gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from .extract import extract
from .schemas import JSON_COLUMNS, OPTIONAL_COLUMNS, SCHEMAS, TIMESTAMP

_NONE: Final[frozenset[str]] = frozenset()
_TIMES: Final = {
    table: tuple(field.name for field in schema if field.type == TIMESTAMP)
    for table, schema in SCHEMAS.items()
}


def to_json_rows(table: str, batch: pa.RecordBatch) -> list[bytes]:
    """Return a JSON object per row: times as RFC 3339, JSON columns as values, keys sorted.

    The columns of OPTIONAL_COLUMNS are left out where they are null.
    """
    encoder = msgspec.json.Encoder(order="deterministic")
    optional = OPTIONAL_COLUMNS.get(table, _NONE)
    return [encoder.encode(_object(table, row, optional)) for row in batch.to_pylist()]


def _object(table: str, row: dict[str, Any], optional: frozenset[str]) -> dict[str, Any]:
    for name in _TIMES[table]:
        row[name] = rfc3339(row[name])
    for name in JSON_COLUMNS[table]:
        row[name] = msgspec.Raw(row[name].encode())
    for name in optional:
        if row[name] is None:
            del row[name]
    return row


def rfc3339(moment: datetime) -> str:
    """Return a UTC time of whole seconds as `2020-07-28T00:10:40Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ledger_document(xdr: bytes, *, network_id: bytes) -> dict[str, Any]:
    """Return a ledger as one JSON object: the payload of type `LedgerCloseMeta` for plugins.

    It holds the columns of its `ledgers` row, `hash` and `previous_hash` as short names, and the
    rows of `transactions` and `operations` as lists of objects.
    """
    tables = ("ledgers", "transactions", "operations")
    rows = extract(xdr, network_id=network_id, tables=tables).tables
    ledgers, transactions, operations = (
        msgspec.json.decode(b"[" + b",".join(to_json_rows(table, rows[table])) + b"]")
        for table in tables
    )
    (ledger,) = ledgers
    return {
        **ledger,
        "hash": ledger["ledger_hash"],
        "previous_hash": ledger["previous_ledger_hash"],
        "transactions": transactions,
        "operations": operations,
    }
