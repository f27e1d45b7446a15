"""Details that come from results and from the changes of ledger entries."""

from __future__ import annotations

from typing import Any

import pytest
import stellar_sdk as sdk
from stellar_sdk import xdr

from cdp_pipeline.connectors.stellar.rows import LedgerUnreadable
from tests.stellar.built_ledger import (
    ALICE,
    BALANCE_HEX,
    BALANCE_STRKEY,
    BOB,
    ISSUED_BY,
    ISSUER,
    LONGER,
    MUXED,
    POOL,
    POOL_COLUMNS,
    POOL_ID,
    USDC,
    A,
    B,
    applied,
    details,
    failed,
    inner,
)
from tests.stellar.test_rows_details import CASES


def claim(bought: sdk.Asset, amount: int) -> xdr.ClaimAtom:
    atom = xdr.ClaimOfferAtom(
        BOB.xdr_account_id(), xdr.Int64(1), USDC.to_xdr_object(), xdr.Int64(5),
        bought.to_xdr_object(), xdr.Int64(amount),
    )  # fmt: skip
    return xdr.ClaimAtom(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK, order_book=atom)


def last(amount: int) -> xdr.SimplePaymentResult:
    return xdr.SimplePaymentResult(BOB.xdr_account_id(), USDC.to_xdr_object(), xdr.Int64(amount))


def test_a_path_payment_shows_what_was_sent() -> None:
    """The first offers of the path that buy one asset are what the source paid."""
    claims = [claim(sdk.Asset.native(), 30), claim(sdk.Asset.native(), 12), claim(LONGER, 1000)]
    code = xdr.PathPaymentStrictReceiveResultCode.PATH_PAYMENT_STRICT_RECEIVE_SUCCESS
    success = xdr.PathPaymentStrictReceiveResultSuccess(claims, last(5))
    outcome = xdr.PathPaymentStrictReceiveResult(code, success=success)
    operation = CASES["path_payment_strict_receive"][0]
    (row,) = applied([operation], [inner("path_payment_strict_receive", outcome)])

    assert row["details"]["source_amount"] == 0.0000042
    assert row["operation_result_code"] == "OperationResultCodeOpInner"
    assert (
        row["operation_trace_code"]
        == "PathPaymentStrictReceiveResultCodePathPaymentStrictReceiveSuccess"
    )


def test_a_path_payment_without_offers_sends_what_arrives() -> None:
    """With no offer taken, the amount of the last payment is the amount sent."""
    code = xdr.PathPaymentStrictReceiveResultCode.PATH_PAYMENT_STRICT_RECEIVE_SUCCESS
    success = xdr.PathPaymentStrictReceiveResultSuccess([], last(20_000_000))
    outcome = xdr.PathPaymentStrictReceiveResult(code, success=success)
    operation = CASES["path_payment_strict_receive"][0]
    (row,) = applied([operation], [inner("path_payment_strict_receive", outcome)])

    assert row["details"]["source_amount"] == 2


def test_a_path_payment_shows_what_was_received() -> None:
    """A strict send's amount is that of the last payment."""
    code = xdr.PathPaymentStrictSendResultCode.PATH_PAYMENT_STRICT_SEND_SUCCESS
    success = xdr.PathPaymentStrictSendResultSuccess([], last(25_000_000))
    outcome = xdr.PathPaymentStrictSendResult(code, success=success)
    operation = CASES["path_payment_strict_send"][0]
    (row,) = applied([operation], [inner("path_payment_strict_send", outcome)])

    assert row["details"]["amount"] == 2.5


def entry(data: xdr.LedgerEntryData, sponsor: sdk.Keypair | None = None) -> xdr.LedgerEntry:
    ext = xdr.LedgerEntryExt(0)
    if sponsor is not None:
        descriptor = xdr.SponsorshipDescriptor(sponsor.xdr_account_id())
        v1 = xdr.LedgerEntryExtensionV1(descriptor, xdr.LedgerEntryExtensionV1Ext(0))
        ext = xdr.LedgerEntryExt(1, v1=v1)
    return xdr.LedgerEntry(xdr.Uint32(5), data, ext)


def pool(reserve_a: int, reserve_b: int, shares: int) -> xdr.LedgerEntry:
    parameters = xdr.LiquidityPoolConstantProductParameters(
        sdk.Asset.native().to_xdr_object(), USDC.to_xdr_object(), xdr.Int32(30)
    )
    product = xdr.LiquidityPoolEntryConstantProduct(
        parameters, xdr.Int64(reserve_a), xdr.Int64(reserve_b), xdr.Int64(shares), xdr.Int64(1)
    )
    body = xdr.LiquidityPoolEntryBody(
        xdr.LiquidityPoolType.LIQUIDITY_POOL_CONSTANT_PRODUCT, constant_product=product
    )
    identity = xdr.PoolID(xdr.Hash(bytes.fromhex(POOL_ID)))
    data = xdr.LedgerEntryData(
        xdr.LedgerEntryType.LIQUIDITY_POOL,
        liquidity_pool=xdr.LiquidityPoolEntry(identity, body),
    )
    return entry(data)


def change(kind: str, value: Any) -> xdr.LedgerEntryChange:
    number = xdr.LedgerEntryChangeType[f"LEDGER_ENTRY_{kind.upper()}"]
    return xdr.LedgerEntryChange(number, **{kind: value})


RESERVES_SHOWN = {
    "reserve_a_asset_type": "native",
    "reserve_b_asset_type": "credit_alphanum4",
    "reserve_b_asset_code": "USDC",
    "reserve_b_asset_issuer": ISSUED_BY,
}


def test_a_deposit_shows_what_the_pool_took() -> None:
    """Amounts and shares are the change of the pool's entry."""
    changes = [change("state", pool(10, 20, 30)), change("updated", pool(110, 220, 45))]
    (row,) = applied([CASES["liquidity_pool_deposit"][0]], changes=changes)
    shown = row["details"]

    assert RESERVES_SHOWN.items() <= shown.items()
    assert (
        shown["reserve_a_deposit_amount"],
        shown["reserve_b_deposit_amount"],
        shown["shares_received"],
    ) == (0.00001, 0.00002, 0.0000015)


def test_a_withdrawal_may_remove_the_pool() -> None:
    """A removed pool gave all it had."""
    key = xdr.LedgerKey(
        xdr.LedgerEntryType.LIQUIDITY_POOL,
        liquidity_pool=xdr.LedgerKeyLiquidityPool(xdr.PoolID(xdr.Hash(bytes.fromhex(POOL_ID)))),
    )
    changes = [change("state", pool(10, 20, 30)), change("removed", key)]
    (row,) = applied([CASES["liquidity_pool_withdraw"][0]], changes=changes)

    assert RESERVES_SHOWN.items() <= row["details"].items()
    assert row["details"]["reserve_a_withdraw_amount"] == 0.000001
    assert row["details"]["reserve_b_withdraw_amount"] == 0.000002


def test_a_pool_change_that_is_not_in_the_meta_is_an_error() -> None:
    """An applied deposit without its change would be a row with wrong amounts."""
    with pytest.raises(LedgerUnreadable, match="whose change is not in the meta"):
        applied([CASES["liquidity_pool_deposit"][0]])


def account(signers: list[tuple[sdk.Keypair, sdk.Keypair | None]]) -> xdr.LedgerEntry:
    sponsors = [
        xdr.SponsorshipDescriptor(sponsor.xdr_account_id() if sponsor else None)
        for _, sponsor in signers
    ]
    zero = xdr.Uint32(0)
    v2 = xdr.AccountEntryExtensionV2(zero, zero, sponsors, xdr.AccountEntryExtensionV2Ext(0))
    liabilities = xdr.Liabilities(xdr.Int64(0), xdr.Int64(0))
    v1 = xdr.AccountEntryExtensionV1(liabilities, xdr.AccountEntryExtensionV1Ext(2, v2=v2))
    keys = [sdk.Signer.ed25519_public_key(key.public_key, 1).to_xdr_object() for key, _ in signers]
    body = xdr.AccountEntry(
        ALICE.xdr_account_id(), xdr.Int64(1), xdr.SequenceNumber(xdr.Int64(1)), zero, None, zero,
        xdr.String32(b""), xdr.Thresholds(bytes(4)), keys, xdr.AccountEntryExt(1, v1=v1),
    )  # fmt: skip
    return entry(xdr.LedgerEntryData(xdr.LedgerEntryType.ACCOUNT, account=body))


def test_the_sponsor_of_a_created_entry_is_shown() -> None:
    """A sponsor counts only for an entry the operation created."""
    value = xdr.DataEntry(
        ALICE.xdr_account_id(), xdr.String64(b"n"), xdr.DataValue(b"v"), xdr.DataEntryExt(0)
    )
    data = entry(xdr.LedgerEntryData(xdr.LedgerEntryType.DATA, data=value), sponsor=ISSUER)
    operation = CASES["manage_data"][0]
    (created,) = applied([operation], changes=[change("created", data)])
    (updated,) = applied([operation], changes=[change("state", data), change("updated", data)])

    assert created["details"]["sponsor"] == ISSUED_BY
    assert "sponsor" not in updated["details"]


def test_the_sponsor_of_a_new_signer_is_shown() -> None:
    """A signer's sponsor counts when it is another than before."""
    operation = CASES["set_options"][0]
    before, after = account([(ISSUER, None)]), account([(ISSUER, None), (BOB, ISSUER)])
    (new,) = applied([operation], changes=[change("state", before), change("updated", after)])
    (same,) = applied([operation], changes=[change("state", after), change("updated", after)])

    assert new["details"]["sponsor"] == ISSUED_BY
    assert "sponsor" not in same["details"]


def test_the_end_of_a_sponsorship_names_who_began_it() -> None:
    """The last earlier operation that sponsors the source account, in an applied transaction."""
    begin = sdk.BeginSponsoringFutureReserves(B, source=sdk.MuxedAccount(A, 5))
    end = sdk.EndSponsoringFutureReserves(source=B)
    rows = applied([begin, end])

    assert {
        "begin_sponsor": A,
        "begin_sponsor_muxed": sdk.MuxedAccount(A, 5).account_muxed,
        "begin_sponsor_muxed_id": 5,
    } == rows[1]["details"]
    assert failed([begin, end])[1]["details"] == {}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (
            sdk.RevokeSponsorship.revoke_account_sponsorship(B),
            {"account_id": B},
        ),
        (
            sdk.RevokeSponsorship.revoke_offer_sponsorship(B, 12),
            {"offer_id": 12},
        ),
        (
            sdk.RevokeSponsorship.revoke_data_sponsorship(B, "name"),
            {"data_account_id": B, "data_name": "name"},
        ),
        (
            sdk.RevokeSponsorship.revoke_trustline_sponsorship(B, USDC),
            {"trustline_account_id": B, "trustline_asset": f"USDC:{ISSUED_BY}"},
        ),
        (
            sdk.RevokeSponsorship.revoke_claimable_balance_sponsorship(BALANCE_HEX),
            {
                "claimable_balance_id": BALANCE_HEX,
                "claimable_balance_id_strkey": BALANCE_STRKEY,
            },
        ),
        (
            sdk.RevokeSponsorship.revoke_liquidity_pool_sponsorship(POOL_ID),
            POOL_COLUMNS,
        ),
        (
            sdk.RevokeSponsorship.revoke_signer_sponsorship(B, sdk.SignerKey.ed25519_public_key(A)),
            {"signer_account_id": B, "signer_key": A},
        ),
    ],
)
def test_revoked_sponsorships_name_what_was_sponsored(
    operation: sdk.Operation, expected: dict[str, Any]
) -> None:
    """Each kind of ledger key, and signers."""
    assert expected == details(operation)


def test_a_trust_line_of_a_pool_names_the_pool() -> None:
    """Pool shares have no issuer, hence no trustee."""
    assert details(sdk.ChangeTrust(POOL, "100")) == {
        "asset_type": "liquidity_pool_shares",
        "trustor": A,
        "limit": 100,
        **POOL_COLUMNS,
    }


def test_muxed_sources_show_both_addresses() -> None:
    """The account is the G address; the M address and its id stand beside it."""
    (row,) = failed([sdk.AccountMerge(B)], source=MUXED)

    assert (A, MUXED.account_muxed) == (row["source_account"], row["source_account_muxed"])
    assert {
        "account": A,
        "account_muxed": MUXED.account_muxed,
        "account_muxed_id": 1234,
    }.items() <= (row["details"].items())
