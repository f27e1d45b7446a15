"""Details of every operation type, when its transaction was not applied."""

from __future__ import annotations

from typing import Any

import pytest
import stellar_sdk as sdk

from cdp_pipeline.connectors.stellar.rows.operation_details import READERS
from tests.stellar.built_ledger import (
    BALANCE_HEX,
    BALANCE_STRKEY,
    CLOSED_AT_S,
    ISSUED_BY,
    LONGER,
    NATIVE_ID,
    POOL_COLUMNS,
    POOL_ID,
    POOL_STRKEY,
    USDC,
    USDC_COLUMNS,
    A,
    B,
    failed,
)

OFFER = {
    "amount": 2.5,
    "price": 0.3333333,
    "price_r": {"n": 1, "d": 3},
    "selling_asset_type": "native",
    "selling_asset_id": NATIVE_ID,
    "buying_asset_code": "USDC",
    "buying_asset_issuer": ISSUED_BY,
    "buying_asset_type": "credit_alphanum4",
}


def allow_trust() -> sdk.Operation:
    flag = sdk.TrustLineEntryFlag.AUTHORIZED_TO_MAINTAIN_LIABILITIES_FLAG
    with pytest.warns(DeprecationWarning, match="SetTrustLineFlags"):
        return sdk.AllowTrust(B, "USDC", flag)


NO_RESERVES = {
    "reserve_a_asset_type": "native",
    "reserve_a_asset_id": NATIVE_ID,
    "reserve_b_asset_type": "native",
    "reserve_b_asset_id": NATIVE_ID,
}
FLAGS = sdk.TrustLineFlags
THIRD = sdk.Price(1, 3)
PREDICATE = sdk.ClaimPredicate.predicate_and(
    sdk.ClaimPredicate.predicate_not(sdk.ClaimPredicate.predicate_unconditional()),
    sdk.ClaimPredicate.predicate_or(
        sdk.ClaimPredicate.predicate_before_absolute_time(CLOSED_AT_S),
        sdk.ClaimPredicate.predicate_before_relative_time(60),
    ),
)
PREDICATE_SHOWN = {
    "and": [
        {"not": {"unconditional": True}},
        {
            "or": [
                {"abs_before": "2023-11-14T22:13:20Z", "abs_before_epoch": "1700000000"},
                {"rel_before": "60"},
            ]
        },
    ]
}

CASES: dict[str, tuple[sdk.Operation, dict[str, Any]]] = {
    "create_account": (
        sdk.CreateAccount(B, "1.5"),
        {"funder": A, "account": B, "starting_balance": 1.5},
    ),
    "payment": (
        sdk.Payment(sdk.MuxedAccount(B, 7), USDC, "0.0000001"),
        {
            "from": A,
            "to": B,
            "to_muxed": sdk.MuxedAccount(B, 7).account_muxed,
            "to_muxed_id": 7,
            "amount": 1e-7,
            **USDC_COLUMNS,
        },
    ),
    "path_payment_strict_receive": (
        sdk.PathPaymentStrictReceive(B, sdk.Asset.native(), "3", USDC, "2", [LONGER]),
        {
            "from": A,
            "to": B,
            "amount": 2,
            "source_amount": "0.0000000",
            "source_max": 3,
            "source_asset_type": "native",
            "source_asset_id": NATIVE_ID,
            "path": [
                {
                    "asset_type": "credit_alphanum12",
                    "asset_code": "LONGER",
                    "asset_issuer": ISSUED_BY,
                }
            ],
            **USDC_COLUMNS,
        },
    ),
    "path_payment_strict_send": (
        sdk.PathPaymentStrictSend(B, sdk.Asset.native(), "3", USDC, "2", []),
        {
            "from": A,
            "to": B,
            "amount": "0.0000000",
            "source_amount": 3,
            "destination_min": "2.0000000",
            "source_asset_type": "native",
            "source_asset_id": NATIVE_ID,
            "path": None,
            **USDC_COLUMNS,
        },
    ),
    "manage_sell_offer": (
        sdk.ManageSellOffer(sdk.Asset.native(), USDC, "2.5", THIRD, offer_id=9),
        {"offer_id": 9, **OFFER},
    ),
    "manage_buy_offer": (
        sdk.ManageBuyOffer(sdk.Asset.native(), USDC, "2.5", THIRD),
        {"offer_id": 0, **OFFER},
    ),
    "create_passive_sell_offer": (
        sdk.CreatePassiveSellOffer(sdk.Asset.native(), USDC, "2.5", THIRD),
        OFFER,
    ),
    "set_options": (
        sdk.SetOptions(
            inflation_dest=B,
            set_flags=sdk.AuthorizationFlag(3),
            clear_flags=sdk.AuthorizationFlag(8),
            master_weight=1,
            low_threshold=2,
            med_threshold=3,
            high_threshold=4,
            home_domain="example.com",
            signer=sdk.Signer.ed25519_public_key(B, 5),
        ),
        {
            "inflation_dest": B,
            "set_flags": [1, 2],
            "set_flags_s": ["auth_required", "auth_revocable"],
            "clear_flags": [8],
            "clear_flags_s": ["auth_clawback_enabled"],
            "master_key_weight": 1,
            "low_threshold": 2,
            "med_threshold": 3,
            "high_threshold": 4,
            "home_domain": "example.com",
            "signer_key": B,
            "signer_weight": 5,
        },
    ),
    "change_trust": (
        sdk.ChangeTrust(USDC, "100"),
        {"trustor": A, "trustee": ISSUED_BY, "limit": 100, **USDC_COLUMNS},
    ),
    "allow_trust": (
        allow_trust(),
        {
            "trustee": A,
            "trustor": B,
            "asset_type": "credit_alphanum4",
            "asset_code": "USDC",
            "asset_issuer": A,
            "authorize": False,
            "authorize_to_maintain_liabilities": True,
        },
    ),
    "account_merge": (sdk.AccountMerge(B), {"account": A, "into": B}),
    "inflation": (sdk.Inflation(), {}),
    "manage_data": (sdk.ManageData("na\\me", b"\x00\xff"), {"name": "na\\me", "value": "AP8="}),
    "bump_sequence": (sdk.BumpSequence(2**60), {"bump_to": str(2**60)}),
    "create_claimable_balance": (
        sdk.CreateClaimableBalance(USDC, "4", [sdk.Claimant(B, PREDICATE)]),
        {
            "asset": f"USDC:{ISSUED_BY}",
            "amount": 4,
            "claimants": [{"destination": B, "predicate": PREDICATE_SHOWN}],
        },
    ),
    "claim_claimable_balance": (
        sdk.ClaimClaimableBalance(BALANCE_HEX),
        {"balance_id": BALANCE_HEX, "balance_id_strkey": BALANCE_STRKEY, "claimant": A},
    ),
    "begin_sponsoring_future_reserves": (
        sdk.BeginSponsoringFutureReserves(B),
        {"sponsored_id": B},
    ),
    "end_sponsoring_future_reserves": (sdk.EndSponsoringFutureReserves(), {}),
    "revoke_sponsorship": (
        sdk.RevokeSponsorship.revoke_trustline_sponsorship(B, sdk.LiquidityPoolId(POOL_ID)),
        {
            "trustline_account_id": B,
            "trustline_liquidity_pool_id": POOL_ID,
            "trustline_liquidity_pool_id_strkey": POOL_STRKEY,
        },
    ),
    "clawback": (
        sdk.Clawback(USDC, B, "5"),
        {"from": B, "amount": 5, **USDC_COLUMNS},
    ),
    "clawback_claimable_balance": (
        sdk.ClawbackClaimableBalance(BALANCE_HEX),
        {"balance_id": BALANCE_HEX, "balance_id_strkey": BALANCE_STRKEY},
    ),
    "set_trust_line_flags": (
        sdk.SetTrustLineFlags(B, USDC, clear_flags=FLAGS(4), set_flags=FLAGS(1)),
        {
            "trustor": B,
            "set_flags": [1],
            "set_flags_s": ["authorized"],
            "clear_flags": [4],
            "clear_flags_s": ["clawback_enabled"],
            **USDC_COLUMNS,
        },
    ),
    "liquidity_pool_deposit": (
        sdk.LiquidityPoolDeposit(POOL_ID, "10", "20", THIRD, sdk.Price(2, 1)),
        {
            **POOL_COLUMNS,
            **NO_RESERVES,
            "reserve_a_max_amount": 10,
            "reserve_a_deposit_amount": 0,
            "reserve_b_max_amount": 20,
            "reserve_b_deposit_amount": 0,
            "min_price": 0.3333333,
            "min_price_r": {"n": 1, "d": 3},
            "max_price": 2,
            "max_price_r": {"n": 2, "d": 1},
            "shares_received": 0,
        },
    ),
    "liquidity_pool_withdraw": (
        sdk.LiquidityPoolWithdraw(POOL_ID, "3", "1", "2"),
        {
            **POOL_COLUMNS,
            **NO_RESERVES,
            "reserve_a_min_amount": 1,
            "reserve_a_withdraw_amount": 0,
            "reserve_b_min_amount": 2,
            "reserve_b_withdraw_amount": 0,
            "shares": 3,
        },
    ),
}
SOROBAN = {"invoke_host_function", "extend_footprint_ttl", "restore_footprint"}


def without_asset_ids(shown: dict[str, Any]) -> dict[str, Any]:
    """`asset_id` has a test of its own; only the native one is kept."""
    return {k: v for k, v in shown.items() if not k.endswith("asset_id") or v == NATIVE_ID}


def test_every_operation_type_has_a_case() -> None:
    """No type of the protocol goes untested."""
    assert set(READERS) == set(CASES) | SOROBAN


@pytest.mark.parametrize("name", CASES)
def test_details_of_a_failed_operation(name: str) -> None:
    """Type, number and exactly these details; codes are empty where nothing was applied."""
    operation, expected = CASES[name]
    (row,) = failed([operation])

    assert name == row["type_string"]
    assert list(READERS).index(name) == row["type"]
    assert expected == without_asset_ids(row["details"])
    assert (row["operation_result_code"], row["operation_trace_code"]) == ("", "")
    assert (
        row["source_account"], row["ledger_sequence"], row["closed_at"]
    ) == (A, 5, "2023-11-14T22:13:20Z")  # fmt: skip
