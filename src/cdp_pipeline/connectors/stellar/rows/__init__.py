"""Turns a raw ledger into typed rows, with the names and values of stellar-etl and Hubble.

Tables: ledgers, transactions, operations, token_transfers, contract_events.
"""

from __future__ import annotations

from .errors import EventsMissing, LedgerUnreadable, TableUnknown, TransactionUnmatched
from .extract import Rows, Stats, extract
from .json_rows import ledger_document, to_json_rows
from .schemas import SCHEMAS, TABLES

__all__ = [
    "SCHEMAS",
    "TABLES",
    "EventsMissing",
    "LedgerUnreadable",
    "Rows",
    "Stats",
    "TableUnknown",
    "TransactionUnmatched",
    "extract",
    "ledger_document",
    "to_json_rows",
]
