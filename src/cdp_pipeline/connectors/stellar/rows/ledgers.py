"""The `ledgers` table: one row a ledger, from its header and the counts of its transactions."""

from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa

from . import model
from .ledger import Ledger, signed_transaction
from .schemas import record_batch
from .scval import base64_text
from .text import camel
from .toid import toid

SPANS = ("LedgerHeader", "LedgerKey")


def ledgers_batch(ledger: Ledger) -> pa.RecordBatch:
    """Return the one row of a ledger."""
    return record_batch("ledgers", [_row(ledger)])


def _row(ledger: Ledger) -> tuple[Any, ...]:
    header = ledger.header
    start, end = ledger.all_spans("LedgerHeader")[0]
    state_size = int(ledger.close.total_byte_size_of_live_soroban_state)
    return (
        header.ledger_seq,
        ledger.close.ledger_header.hash,
        header.previous_ledger_hash,
        base64_text(ledger.xdr[start:end]),
        *_counts(ledger),
        ledger.closed_at_us,
        int(header.total_coins),
        int(header.fee_pool),
        header.base_fee,
        header.base_reserve,
        header.max_tx_set_size,
        header.ledger_version,
        toid(header.ledger_seq),
        _fee_write_1kb(ledger.close),
        *_close_signature(header),
        state_size,
        state_size,
        *_evicted_keys(ledger),
    )


def _counts(ledger: Ledger) -> tuple[int, int, int, int, str]:
    """Counts: transactions, their operations, successful, failed; operations of the whole set.

    The first two count successful transactions only, as stellar-etl does.
    """
    successful = [transaction for transaction in ledger.transactions if transaction.successful]
    operations = sum(len(transaction.operation_results) for transaction in successful)
    failed = len(ledger.transactions) - len(successful)
    in_set = sum(len(signed_transaction(each).tx.operations) for each in ledger.envelopes)
    return len(successful), operations, len(successful), failed, str(in_set)


def _fee_write_1kb(close: model.CloseMeta) -> int:
    ext = close.ext
    return 0 if isinstance(ext, str) or ext.v1 is None else int(ext.v1.soroban_fee_write1_kb)


def _close_signature(header: model.LedgerHeader) -> tuple[str, str]:
    ext = header.scp_value.ext
    if isinstance(ext, str) or ext.signed is None:
        return "", ""
    return ext.signed.node_id, base64_text(bytes.fromhex(ext.signed.signature))


def _evicted_keys(ledger: Ledger) -> tuple[list[str] | None, list[str] | None]:
    """Types and sha256 hashes of the evicted keys; they are the last keys of a ledger's XDR."""
    keys = ledger.close.evicted_keys
    if not keys:
        return None, None
    spans = ledger.all_spans("LedgerKey")[-len(keys) :]
    types = [f"LedgerEntryType{camel(next(iter(key)))}" for key in keys]
    hashes = [hashlib.sha256(ledger.xdr[start:end]).hexdigest() for start, end in spans]
    return types, hashes
