"""Breaks a Soroban transaction's fee into its parts, and lists the resources it asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from . import model, strkey
from .ledger import Transaction

# Until protocol 21 the charged fee of a Soroban fee bump was recorded wrongly (stellar-core #4188).
_FEE_BUMP_FIXED_PROTOCOL = 21

_changes_decoder = msgspec.json.Decoder(list[model.Change])


class SorobanFees(NamedTuple):
    """Fees in stroops.

    Attributes:
        fee_charged: Of the whole transaction.
        resources: Resource fee, instructions, read, disk read and write bytes, archived entries.
        fees: Inclusion fee bid and charged, refund, non-refundable, refundable and rent fee.
    """

    fee_charged: int
    resources: tuple[int, int, int, int, int, list[int] | None] = (0, 0, 0, 0, 0, None)
    fees: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)


def soroban_fees(transaction: Transaction, protocol_version: int) -> SorobanFees:
    """Return the fees of a transaction, zero but for `fee_charged` where it is no Soroban one."""
    charged = int(transaction.processing.result.result.fee_charged)
    ext = transaction.body.ext
    if isinstance(ext, str) or ext.v1 is None:
        return SorobanFees(charged)
    data, bump = ext.v1, transaction.envelope.tx_fee_bump
    resource_fee = int(data.resource_fee)
    limit = transaction.body.fee if bump is None else int(bump.tx.fee)
    inclusion, refund = _balance_changes(transaction)
    if bump is not None and protocol_version < _FEE_BUMP_FIXED_PROTOCOL:
        charged = resource_fee - refund
    fees = (limit - resource_fee, -inclusion - resource_fee, refund, *_charged_fees(transaction))
    return SorobanFees(charged, _resources(data), fees)


def _resources(data: model.SorobanData) -> tuple[int, int, int, int, int, list[int] | None]:
    resources = data.resources
    archived = None if isinstance(data.ext, str) else data.ext.v1
    return (
        int(data.resource_fee),
        resources.instructions,
        resources.disk_read_bytes,
        resources.disk_read_bytes,
        resources.write_bytes,
        archived.archived_soroban_entries or None if archived else None,
    )


def _balance_changes(transaction: Transaction) -> tuple[int, int]:
    """Change of the fee account's balance when fees were taken, and when the rest came back."""
    bump = transaction.envelope.tx_fee_bump
    payer = transaction.body.source_account if bump is None else bump.tx.fee_source
    account, _ = strkey.muxed_parts(payer)
    processing = transaction.processing
    after = (transaction.meta.tx_changes_after, processing.post_tx_apply_fee_processing)
    refunds = [change for raw in after for change in _changes_decoder.decode(raw)]
    taken = _changes_decoder.decode(processing.fee_processing)
    return _balance_change(taken, account), _balance_change(refunds, account)


def _balance_change(changes: Iterable[model.Change], account: str) -> int:
    start = end = 0
    for change in changes:
        entry = change.state or change.updated
        if entry is None or entry.data.account is None:
            continue
        if entry.data.account.account_id != account:
            continue
        if change.state is not None:
            start = int(entry.data.account.balance)
        else:
            end = int(entry.data.account.balance)
    return end - start


def _charged_fees(transaction: Transaction) -> tuple[int, int, int]:
    meta = transaction.meta.soroban_meta
    ext = None if meta is None or isinstance(meta.ext, str) else meta.ext.v1
    if ext is None:
        return 0, 0, 0
    return (
        int(ext.total_non_refundable_resource_fee_charged),
        int(ext.total_refundable_resource_fee_charged),
        int(ext.rent_fee_charged),
    )
