"""The `transactions` table: one row a transaction, in application order."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from . import model, strkey
from .ledger import Ledger, Transaction
from .schemas import record_batch
from .scval import base64_text
from .soroban_fees import soroban_fees
from .text import camel, string_text

SPANS = (
    "TransactionEnvelope",
    "TransactionV0",
    "Transaction",
    "FeeBumpTransaction",
    "TransactionResultPair",
    "TransactionMeta",
)
_HASH_SIZE = 32
_NO_BOUNDS = ("", "", None, None, None, None)


def transactions_batch(ledger: Ledger) -> pa.RecordBatch:
    """Return a row per transaction; envelopes must be matched."""
    pairs = ledger.all_spans("TransactionResultPair")
    metas = ledger.all_spans("TransactionMeta")
    spans = zip(ledger.transactions, pairs, metas, strict=True)
    return record_batch("transactions", [_row(ledger, *each) for each in spans])


def _row(
    ledger: Ledger, transaction: Transaction, pair: tuple[int, int], meta: tuple[int, int]
) -> tuple[Any, ...]:
    body = transaction.body
    account, muxed_id = strkey.muxed_parts(source_address(body))
    bounds = _conditions(body)
    fees = soroban_fees(transaction, ledger.header.ledger_version)
    return (
        transaction.hash,
        ledger.sequence,
        account,
        None if muxed_id is None else body.source_account,
        int(body.seq_num),
        body.fee,
        fees.fee_charged,
        len(body.operations),
        *_encoded(ledger.xdr, transaction.envelope_span, pair, meta),
        ledger.closed_at_us,
        *_memo(body.memo),
        bounds[0],
        transaction.successful,
        transaction.id,
        *_fee_bump(transaction),
        *bounds[1:],
        ledger.closed_at_us,
        *fees.resources,
        f"TransactionResultCode{camel(transaction.code)}",
        *fees.fees,
        [_signer(signature) for signature in transaction.signatures],
    )


def source_address(body: model.Transaction) -> str:
    """Return the G or M address of a transaction's source; V0 gives its raw key."""
    if body.source_account:
        return body.source_account
    return strkey.encode(strkey.ACCOUNT, bytes.fromhex(body.source_account_ed25519))


def _encoded(
    xdr: bytes, envelope: tuple[int, int], pair: tuple[int, int], meta: tuple[int, int]
) -> tuple[str, str, str, str]:
    """Base64 of envelope, result, meta and fee changes; those lie between result and meta."""
    return (
        base64_text(xdr[envelope[0] : envelope[1]]),
        base64_text(xdr[pair[0] + _HASH_SIZE : pair[1]]),
        base64_text(xdr[meta[0] : meta[1]]),
        base64_text(xdr[pair[1] : meta[0]]),
    )


def _memo(memo: str | dict[str, str]) -> tuple[str, str]:
    if isinstance(memo, str):
        return f"MemoTypeMemo{camel(memo)}", ""
    kind, value = next(iter(memo.items()))
    if kind == "text":
        value = string_text(value)
    elif kind in ("hash", "return"):
        value = base64_text(bytes.fromhex(value))
    return f"MemoTypeMemo{camel(kind)}", value


def _conditions(
    body: model.Transaction,
) -> tuple[str, str, int | None, int | None, int | None, list[str] | None]:
    """Time bounds, ledger bounds, least sequence, its age and gap, extra signers (CAP-21)."""
    if isinstance(body.cond, str):
        return (_time_bounds(body.time_bounds), *_NO_BOUNDS[1:])
    if body.cond.v2 is None:
        return (_time_bounds(body.cond.time), *_NO_BOUNDS[1:])
    cond = body.cond.v2
    return (
        _time_bounds(cond.time_bounds),
        _ledger_bounds(cond.ledger_bounds),
        None if cond.min_seq_num is None else int(cond.min_seq_num),
        int(cond.min_seq_age),
        cond.min_seq_ledger_gap,
        cond.extra_signers or None,
    )


def _time_bounds(bounds: model.TimeBounds | None) -> str:
    if bounds is None:
        return ""
    end = "" if bounds.max_time == "0" else bounds.max_time
    return f"[{bounds.min_time},{end})"


def _ledger_bounds(bounds: model.LedgerBounds | None) -> str:
    return "" if bounds is None else f"[{bounds.min_ledger},{bounds.max_ledger})"


def _fee_bump(transaction: Transaction) -> tuple[str | None, str | None, str | None, int | None]:
    """Fee account, its M address, inner hash and new fee limit of a fee bump (CAP-15)."""
    if transaction.envelope.tx_fee_bump is None:
        return None, None, None, None
    bump = transaction.envelope.tx_fee_bump.tx
    account, muxed_id = strkey.muxed_parts(bump.fee_source)
    muxed = None if muxed_id is None else bump.fee_source
    return account, muxed, transaction.inner_hash, int(bump.fee)


def _signer(signature: model.Signature) -> str:
    """The signature as a strkey under the account version byte: stellar-etl's `tx_signers`."""
    return strkey.encode(strkey.ACCOUNT, bytes.fromhex(signature.signature))
