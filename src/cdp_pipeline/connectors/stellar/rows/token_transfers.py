"""The `token_transfers` table: CAP-67 events, in the order in which money moved.

Fees taken before all transactions come first, then each transaction's operations and what it was
refunded after them, then the refunds made after all transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from . import strkey
from .errors import EventsMissing
from .events import UNIFIED_EVENT_META, Transfer, operation_events, read_transfer
from .ledger import Ledger, Transaction
from .schemas import record_batch

SPANS = ()
MissingEvents = Literal["error", "count"]
_UNITS_PER_STROOP = 0.0000001
_BEFORE_ALL, _AFTER_TX, _AFTER_ALL = "before_all_txs", "after_tx", "after_all_txs"


class Found(NamedTuple):
    """A transfer and where it was: operation 0 is the transaction itself; both count from 1."""

    transaction: Transaction
    operation: int
    number: int
    contract: str
    transfer: Transfer


def missing_events(ledger: Ledger) -> int:
    """Count the transactions whose meta lacks events that must have happened."""
    return sum(map(_lacks_events, ledger.transactions))


def _lacks_events(transaction: Transaction) -> bool:
    """Whether the classic events are absent: a charged fee is an event of its own."""
    if transaction.meta_version < UNIFIED_EVENT_META:
        return True
    charged = transaction.processing.result.result.fee_charged != "0"
    return charged and not transaction.meta.events


def token_transfers_batch(
    ledger: Ledger, missing: MissingEvents
) -> tuple[pa.RecordBatch, list[str], int]:
    """Return the rows, the id suffix of each, and how many transactions lack their events.

    Raises:
        EventsMissing: a transaction lacks its events and `missing` is `error`.
    """
    lacking = missing_events(ledger)
    if lacking and missing == "error":
        raise EventsMissing(
            f"ledger {ledger.sequence}: {lacking} of {len(ledger.transactions)} transactions "
            "carry no CAP-67 events, so its token transfers are unknown"
        )
    found = list(_transfers(ledger))
    rows = [_row(each) for each in found]
    constants = {"closed_at": ledger.closed_at_us, "ledger_sequence": ledger.sequence}
    suffixes = [f":{each.transaction.order}:{each.operation}:{each.number}" for each in found]
    return record_batch("token_transfers", rows, constants), suffixes, lacking


def _transfers(ledger: Ledger) -> Iterator[Found]:
    for transaction in ledger.transactions:
        yield from _staged(transaction, _BEFORE_ALL, ledger.network_id)
    for transaction in ledger.transactions:
        yield from _of_operations(transaction, ledger.network_id)
        yield from _staged(transaction, _AFTER_TX, ledger.network_id)
    for transaction in ledger.transactions:
        yield from _staged(transaction, _AFTER_ALL, ledger.network_id)


def _staged(transaction: Transaction, stage: str, network_id: bytes) -> Iterator[Found]:
    for index, staged in enumerate(transaction.meta.events, start=1):
        if staged.stage != stage:
            continue
        transfer = read_transfer(staged.event, network_id)
        if transfer is not None:
            yield Found(transaction, 0, index, staged.event.contract_id or "", transfer)


def _of_operations(transaction: Transaction, network_id: bytes) -> Iterator[Found]:
    for operation, events in operation_events(transaction):
        for index, event in enumerate(events, start=1):
            transfer = read_transfer(event, network_id)
            if transfer is not None and transfer.topic != "fee":
                yield Found(transaction, operation, index, event.contract_id or "", transfer)


def _row(found: Found) -> tuple[Any, ...]:
    transaction, transfer = found.transaction, found.transfer
    return (
        transaction.hash,
        transaction.id,
        transaction.id + found.operation if found.operation else None,
        transfer.topic,
        transfer.sender,
        transfer.receiver,
        *_asset_columns(transfer),
        transfer.amount * _UNITS_PER_STROOP,
        str(transfer.amount),
        found.contract,
        *_muxed_columns(transfer),
    )


def _asset_columns(transfer: Transfer) -> tuple[str, str, str | None, str | None]:
    """Name, type, code and issuer; empty for a token that is no Stellar asset."""
    asset = transfer.asset
    if asset is None:
        return "", "", None, None
    if not asset.issuer:
        return asset.type, asset.type, None, None
    return f"{asset.type}:{asset.canonical}", asset.type, asset.code, asset.issuer


def _muxed_columns(transfer: Transfer) -> tuple[str | None, str | None]:
    """The receiver's M address and id. A memo of text or hash counts as id 0, as in stellar-etl."""
    if transfer.muxed is None or transfer.receiver is None:
        return None, None
    kind, value = transfer.muxed
    identity = int(value) if kind == "u64" else 0
    if not transfer.receiver.startswith("G"):
        return None, str(identity)
    return strkey.muxed_address(transfer.receiver, identity), str(identity)
