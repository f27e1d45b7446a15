"""Transactions of every kind of envelope: hashes, fee bumps, memos, preconditions, signers."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import stellar_sdk as sdk
from stellar_sdk import xdr

from tests.stellar.built_ledger import (
    ALICE,
    MUXED,
    PASSPHRASE,
    A,
    B,
    envelope,
    meta,
    result,
    rows_of,
)

BUMP = sdk.BumpSequence(1)


def row_of(signed: Any) -> dict[str, Any]:
    (row,) = rows_of([(signed, result(signed, None), meta([], []))], "transactions")
    return row


def built(**options: Any) -> Any:
    transaction = sdk.Transaction(
        source=sdk.MuxedAccount(A), sequence=7, fee=300, operations=[BUMP], **options
    )
    signed = sdk.TransactionEnvelope(transaction, PASSPHRASE)
    signed.sign(ALICE)
    return signed


@pytest.mark.parametrize("v1", [True, False])
def test_both_kinds_of_plain_envelopes_are_found_by_hash(v1: bool) -> None:
    """V0 is hashed as if it were V1 (CAP-15); both show the same account."""
    signed = built(v1=v1)
    row = row_of(signed)

    assert (signed.hash().hex(), A, 7, 300, 1) == (
        row["transaction_hash"],
        row["account"],
        row["account_sequence"],
        row["max_fee"],
        row["operation_count"],
    )
    assert signed.to_xdr() == row["tx_envelope"]
    assert row["transaction_result_code"] == "TransactionResultCodeTxBadAuth"


def test_signatures_are_shown_under_the_account_version() -> None:
    """stellar-etl's `tx_signers`: the signature itself as a strkey."""
    signed = built()
    (signer,) = row_of(signed)["tx_signers"]
    padded = signer + "=" * (-len(signer) % 8)

    assert signed.signatures[0].signature == base64.b32decode(padded)[1:-2]


def test_fee_bumps_show_both_transactions() -> None:
    """Fee account, new limit and inner hash; account, sequence and limit are the inner ones."""
    inner = built()
    bump = sdk.FeeBumpTransaction(MUXED, 900, inner)
    signed = sdk.FeeBumpTransactionEnvelope(bump, PASSPHRASE)
    signed.sign(ALICE)
    outcome = xdr.InnerTransactionResult(
        xdr.Int64(0),
        xdr.InnerTransactionResultResult(xdr.TransactionResultCode.txSUCCESS, results=[]),
        xdr.InnerTransactionResultExt(0),
    )
    pair = xdr.InnerTransactionResultPair(xdr.Hash(inner.hash()), outcome)
    union = xdr.TransactionResultResult(
        xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS, inner_result_pair=pair
    )
    whole = xdr.TransactionResult(xdr.Int64(200), union, xdr.TransactionResultExt(0))
    outer = xdr.TransactionResultPair(xdr.Hash(signed.hash()), whole)
    (row,) = rows_of([(signed, outer, meta([], []))], "transactions")

    assert {
        "account": A,
        "account_sequence": 7,
        "max_fee": 300,
        "fee_account": A,
        "fee_account_muxed": MUXED.account_muxed,
        "new_max_fee": 900,
        "fee_charged": 200,
        "inner_transaction_hash": inner.hash().hex(),
        "transaction_hash": signed.hash().hex(),
        "transaction_result_code": "TransactionResultCodeTxFeeBumpInnerSuccess",
        "successful": True,
    }.items() <= row.items()


def test_columns_that_do_not_apply_are_left_out_of_json() -> None:
    """A plain transaction of a plain account has no muxed and no fee-bump columns."""
    row = row_of(built())

    assert not {"account_muxed", "fee_account", "inner_transaction_hash", "new_max_fee"} & set(row)
    assert MUXED.account_muxed == row_of(envelope([BUMP], source=MUXED))["account_muxed"]


@pytest.mark.parametrize(
    ("memo", "kind", "text"),
    [
        (sdk.NoneMemo(), "None", ""),
        (sdk.TextMemo("caf\u00e9"), "Text", "caf\u00e9"),
        (sdk.TextMemo(b"a\xff\\"), "Text", "a\ufffd\\"),
        (sdk.IdMemo(2**64 - 1), "Id", str(2**64 - 1)),
        (sdk.HashMemo(bytes(32)), "Hash", base64.b64encode(bytes(32)).decode()),
        (sdk.ReturnHashMemo(bytes(32)), "Return", base64.b64encode(bytes(32)).decode()),
    ],
)
def test_memos_are_text(memo: sdk.Memo, kind: str, text: str) -> None:
    """Text as text, ids in decimal, hashes in base64."""
    row = row_of(built(memo=memo))

    assert (f"MemoTypeMemo{kind}", text) == (row["memo_type"], row["memo"])


def test_preconditions_are_shown_where_they_are_set() -> None:
    """Bounds as half-open ranges, open at the end when zero (CAP-21)."""
    conditions = sdk.Preconditions(
        time_bounds=sdk.TimeBounds(5, 0),
        ledger_bounds=sdk.LedgerBounds(1, 9),
        min_sequence_number=6,
        min_sequence_age=7,
        min_sequence_ledger_gap=8,
        extra_signers=[sdk.SignerKey.ed25519_public_key(B)],
    )
    row = row_of(built(preconditions=conditions))
    plain = row_of(built(preconditions=sdk.Preconditions(time_bounds=sdk.TimeBounds(5, 6))))

    assert (
        row["time_bounds"],
        row["ledger_bounds"],
        row["min_account_sequence"],
        row["min_account_sequence_age"],
        row["min_account_sequence_ledger_gap"],
        row["extra_signers"],
    ) == ("[5,)", "[1,9)", 6, 7, 8, [B])
    assert (
        plain["time_bounds"],
        plain["ledger_bounds"],
        plain["min_account_sequence_age"],
        plain["extra_signers"],
    ) == ("[5,6)", "", None, None)


def test_results_and_envelopes_may_be_in_another_order() -> None:
    """The set here is in reverse: each result still gets the envelope of its hash."""
    signed = [envelope([sdk.BumpSequence(number)]) for number in range(5)]
    processed = [(each, result(each, None), meta([], [])) for each in signed]
    rows = rows_of(processed, "operations")

    assert [str(number) for number in range(5)] == [row["details"]["bump_to"] for row in rows]
    assert sorted(row["id"] for row in rows) == [row["id"] for row in rows]
