"""Details of every operation type, read from ledgers built here with stellar-sdk's XDR types."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
import stellar_sdk as sdk
from stellar_sdk import scval, xdr

from cdp_pipeline.connectors.stellar.rows import LedgerUnreadable, extract, to_json_rows
from cdp_pipeline.connectors.stellar.rows.operation_details import READERS

PASSPHRASE = "Test SDF Network ; September 2015"
NETWORK_ID = sha256(PASSPHRASE.encode()).digest()
ALICE, BOB, ISSUER = (sdk.Keypair.from_raw_ed25519_seed(bytes([n]) * 32) for n in (1, 2, 3))
A, B, ISSUED_BY = ALICE.public_key, BOB.public_key, ISSUER.public_key
USDC, LONGER = sdk.Asset("USDC", ISSUED_BY), sdk.Asset("LONGER", ISSUED_BY)
CONTRACT = USDC.contract_id(PASSPHRASE)
POOL = sdk.LiquidityPoolAsset(sdk.Asset.native(), USDC)
POOL_ID = POOL.liquidity_pool_id
POOL_STRKEY = sdk.StrKey.encode_liquidity_pool(bytes.fromhex(POOL_ID))
BALANCE_HEX = "00000000" + "ab" * 32
BALANCE_STRKEY = sdk.StrKey.encode_claimable_balance(bytes(1) + bytes.fromhex("ab" * 32))
MUXED = sdk.MuxedAccount(A, 1234)
USDC_COLUMNS = {"asset_type": "credit_alphanum4", "asset_code": "USDC", "asset_issuer": ISSUED_BY}
NATIVE_ID = -5706705804583548011
HASH = xdr.Hash(bytes(32))
CLOSED_AT_S = 1_700_000_000


# A ledger


def soroban_data() -> xdr.SorobanTransactionData:
    code = xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_CODE, contract_code=xdr.LedgerKeyContractCode(HASH)
    )
    data = xdr.LedgerKey(
        xdr.LedgerEntryType.CONTRACT_DATA,
        contract_data=xdr.LedgerKeyContractData(
            sdk.Address(CONTRACT).to_xdr_sc_address(),
            scval.to_symbol("k"),
            xdr.ContractDataDurability.PERSISTENT,
        ),
    )
    return sdk.SorobanDataBuilder().set_read_only([code]).set_read_write([data]).build()


def envelope(operations: list[sdk.Operation], *, soroban: bool = False, source: Any = A) -> Any:
    account = sdk.MuxedAccount.from_account(source) if isinstance(source, str) else source
    transaction = sdk.Transaction(
        source=account,
        sequence=7,
        fee=300,
        operations=operations,
        soroban_data=soroban_data() if soroban else None,
        v1=True,
    )
    signed = sdk.TransactionEnvelope(transaction, PASSPHRASE)
    signed.sign(ALICE)
    return signed


def result(envelope: Any, results: list[xdr.OperationResult] | None) -> xdr.TransactionResultPair:
    code = (
        xdr.TransactionResultCode.txBAD_AUTH
        if results is None
        else xdr.TransactionResultCode.txSUCCESS
    )
    union = xdr.TransactionResultResult(code, results=results)
    outcome = xdr.TransactionResult(xdr.Int64(300), union, xdr.TransactionResultExt(0))
    return xdr.TransactionResultPair(xdr.Hash(envelope.hash()), outcome)


def operation_meta(
    changes: list[xdr.LedgerEntryChange], events: list[xdr.ContractEvent]
) -> xdr.OperationMetaV2:
    return xdr.OperationMetaV2(xdr.ExtensionPoint(0), xdr.LedgerEntryChanges(changes), events)


def meta(
    operations: list[xdr.OperationMetaV2], events: list[xdr.TransactionEvent]
) -> xdr.TransactionMeta:
    nothing = xdr.LedgerEntryChanges([])
    body = xdr.TransactionMetaV4(
        xdr.ExtensionPoint(0), nothing, operations, nothing, None, events, []
    )
    return xdr.TransactionMeta(4, v4=body)


def header() -> xdr.LedgerHeaderHistoryEntry:
    value = xdr.StellarValue(
        HASH,
        xdr.TimePoint(xdr.Uint64(CLOSED_AT_S)),
        [],
        xdr.StellarValueExt(xdr.StellarValueType.STELLAR_VALUE_BASIC),
    )
    zero = xdr.Uint32(0)
    body = xdr.LedgerHeader(
        xdr.Uint32(23), HASH, value, HASH, HASH, xdr.Uint32(5), xdr.Int64(0), xdr.Int64(0), zero,
        xdr.Uint64(0), zero, zero, zero, [HASH] * 4, xdr.LedgerHeaderExt(0),
    )  # fmt: skip
    return xdr.LedgerHeaderHistoryEntry(HASH, body, xdr.LedgerHeaderHistoryEntryExt(0))


def ledger(processed: list[tuple[Any, xdr.TransactionResultPair, xdr.TransactionMeta]]) -> bytes:
    """A ledger whose transaction set is in the reverse of application order."""
    envelopes = [each.to_xdr_object() for each, _, _ in reversed(processed)]
    component = xdr.TxSetComponent(
        xdr.TxSetComponentType.TXSET_COMP_TXS_MAYBE_DISCOUNTED_FEE,
        xdr.TxSetComponentTxsMaybeDiscountedFee(None, envelopes),
    )
    phase = xdr.TransactionPhase(0, v0_components=[component])
    txs = xdr.GeneralizedTransactionSet(1, xdr.TransactionSetV1(HASH, [phase]))
    nothing = xdr.LedgerEntryChanges([])
    results = [
        xdr.TransactionResultMetaV1(xdr.ExtensionPoint(0), pair, nothing, each, nothing)
        for _, pair, each in processed
    ]
    close = xdr.LedgerCloseMetaV2(
        xdr.LedgerCloseMetaExt(0), header(), txs, results, [], [], xdr.Uint64(0), []
    )
    return xdr.LedgerCloseMeta(2, v2=close).to_xdr_bytes()


def rows_of(
    processed: list[Any], table: str = "operations", **options: Any
) -> list[dict[str, Any]]:
    batch = extract(ledger(processed), network_id=NETWORK_ID, tables=[table], **options).tables
    return [json.loads(row) for row in to_json_rows(table, batch[table])]


def failed(operations: list[sdk.Operation], **options: Any) -> list[dict[str, Any]]:
    signed = envelope(operations, **options)
    return rows_of([(signed, result(signed, None), meta([], []))])


def details(operation: sdk.Operation, **options: Any) -> dict[str, Any]:
    (row,) = failed([operation], **options)
    got: dict[str, Any] = row["details"]
    return got


# Events


def event(topics: list[xdr.SCVal], data: xdr.SCVal, contract: str = CONTRACT) -> xdr.ContractEvent:
    body = xdr.ContractEventBody(0, v0=xdr.ContractEventV0(topics, data))
    identity = xdr.ContractID(xdr.Hash(sdk.StrKey.decode_contract(contract)))
    return xdr.ContractEvent(xdr.ExtensionPoint(0), identity, xdr.ContractEventType.CONTRACT, body)


def token_event(topic: str, *addresses: str, amount: int = 5, **options: Any) -> xdr.ContractEvent:
    topics = [scval.to_symbol(topic), *map(scval.to_address, addresses)]
    name = options.pop("asset", f"USDC:{ISSUED_BY}")
    if name is not None:
        topics.append(scval.to_string(name))
    return event(topics, options.pop("data", scval.to_int128(amount)), **options)


def fee_event(amount: int, stage: str = "BEFORE_ALL_TXS") -> list[xdr.TransactionEvent]:
    contract = sdk.Asset.native().contract_id(PASSPHRASE)
    paid = token_event("fee", A, amount=amount, asset=None, contract=contract)
    number = xdr.TransactionEventStage[f"TRANSACTION_EVENT_STAGE_{stage}"]
    return [xdr.TransactionEvent(number, paid)]


# What each operation shows, when its transaction was not applied

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
    with pytest.warns(DeprecationWarning):
        return sdk.AllowTrust(B, "USDC", flag)


POOL_COLUMNS = {"liquidity_pool_id": POOL_ID, "liquidity_pool_id_strkey": POOL_STRKEY}
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


# What results and meta add


def inner(name: str, value: Any) -> xdr.OperationResult:
    number = xdr.OperationType[name.upper()]
    tr = xdr.OperationResultTr(number, **{f"{name}_result": value})
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, tr=tr)


def bad_auth() -> xdr.OperationResult:
    return xdr.OperationResult(xdr.OperationResultCode.opBAD_AUTH)


def claim(bought: sdk.Asset, amount: int) -> xdr.ClaimAtom:
    atom = xdr.ClaimOfferAtom(
        BOB.xdr_account_id(), xdr.Int64(1), USDC.to_xdr_object(), xdr.Int64(5),
        bought.to_xdr_object(), xdr.Int64(amount),
    )  # fmt: skip
    return xdr.ClaimAtom(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK, order_book=atom)


def last(amount: int) -> xdr.SimplePaymentResult:
    return xdr.SimplePaymentResult(BOB.xdr_account_id(), USDC.to_xdr_object(), xdr.Int64(amount))


def applied(
    operations: list[sdk.Operation],
    results: list[xdr.OperationResult] | None = None,
    *,
    changes: list[xdr.LedgerEntryChange] | None = None,
    events: list[xdr.ContractEvent] | None = None,
    own_events: list[xdr.TransactionEvent] | None = None,
    table: str = "operations",
    **options: Any,
) -> list[dict[str, Any]]:
    """Rows of one successful transaction; changes and events are the last operation's."""
    signed = envelope(operations, **options)
    metas = [operation_meta([], []) for _ in operations[1:]]
    metas.append(operation_meta(changes or [], events or []))
    outcomes = results or [bad_auth() for _ in operations]
    own = fee_event(300) if own_events is None else own_events
    return rows_of([(signed, result(signed, outcomes), meta(metas, own))], table)


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


# Soroban

FOOTPRINT = {
    "contract_id": CONTRACT,
    "contract_code_hash": "00" * 32,
    "ledger_key_hash": [
        sha256(key.to_xdr_bytes()).hexdigest()
        for keys in (
            soroban_data().resources.footprint.read_only,
            soroban_data().resources.footprint.read_write,
        )
        for key in keys
    ],
}
ARGUMENTS = [scval.to_uint32(7), scval.to_vec([scval.to_symbol("x"), scval.to_void()])]
FUNCTIONS = xdr.HostFunctionType


def invoke() -> sdk.InvokeHostFunction:
    arguments = xdr.InvokeContractArgs(
        sdk.Address(CONTRACT).to_xdr_sc_address(), xdr.SCSymbol(b"swap"), ARGUMENTS
    )
    return sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_INVOKE_CONTRACT, invoke_contract=arguments)
    )


def test_a_contract_call_shows_its_parameters() -> None:
    """Contract, function and arguments: as XDR, as text and as SEP-51, each with its type."""
    shown = details(invoke(), soroban=True)
    called = [sdk.Address(CONTRACT).to_xdr_sc_val(), scval.to_symbol("swap"), *ARGUMENTS]
    encoded = [value.to_xdr() for value in called]

    assert {
        "function": "HostFunctionTypeHostFunctionTypeInvokeContract",
        "type": "invoke_contract",
        **FOOTPRINT,
        "parameters": [
            {"type": kind, "value": value}
            for kind, value in zip(["Address", "Sym", "U32", "Vec"], encoded, strict=True)
        ],
        "parameters_decoded": [
            {"type": "Address", "value": CONTRACT},
            {"type": "Sym", "value": "swap"},
            {"type": "U32", "value": "7"},
            {"type": "Vec", "value": "[x (void)]"},
        ],
        "parameters_json": encoded,
        "parameters_json_decoded": [
            {"address": CONTRACT},
            {"symbol": "swap"},
            {"u32": 7},
            {"vec": [{"symbol": "x"}, "void"]},
        ],
        "asset_balance_changes": [],
    } == shown


def preimage(asset: bool) -> xdr.ContractIDPreimage:
    if asset:
        return xdr.ContractIDPreimage(
            xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ASSET,
            from_asset=LONGER.to_xdr_object(),
        )
    address = xdr.ContractIDPreimageFromAddress(
        sdk.Address(B).to_xdr_sc_address(), xdr.Uint256(bytes(32))
    )
    return xdr.ContractIDPreimage(
        xdr.ContractIDPreimageType.CONTRACT_ID_PREIMAGE_FROM_ADDRESS, from_address=address
    )


def executable(asset: bool) -> xdr.ContractExecutable:
    if asset:
        return xdr.ContractExecutable(xdr.ContractExecutableType.CONTRACT_EXECUTABLE_STELLAR_ASSET)
    return xdr.ContractExecutable(
        xdr.ContractExecutableType.CONTRACT_EXECUTABLE_WASM, wasm_hash=HASH
    )


PREIMAGES = {
    True: {"from": "asset", "asset": f"LONGER:{ISSUED_BY}"},
    False: {"from": "address", "address": B},
}


@pytest.mark.parametrize("asset", [True, False])
def test_deployments_show_where_the_contract_came_from(asset: bool) -> None:
    """From an asset or an address; the second kind has constructor parameters too."""
    first = xdr.CreateContractArgs(preimage(asset), executable(asset))
    second = xdr.CreateContractArgsV2(preimage(asset), executable(asset), ARGUMENTS)
    create = sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_CREATE_CONTRACT, create_contract=first)
    )
    create_v2 = sdk.InvokeHostFunction(
        xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_CREATE_CONTRACT_V2, create_contract_v2=second)
    )

    assert {
        "function": "HostFunctionTypeHostFunctionTypeCreateContract",
        "type": "create_contract",
        **FOOTPRINT,
        **PREIMAGES[asset],
    } == details(create, soroban=True)
    shown = details(create_v2, soroban=True)
    assert shown["type"] == "create_contract_v2"
    assert [value.to_xdr() for value in ARGUMENTS] == shown["parameters_json"]
    assert PREIMAGES[asset].items() <= shown.items()


def test_uploads_and_entry_lifetimes_show_their_footprint() -> None:
    """An upload names no contract; the others name the first of the footprint."""
    wasm = xdr.HostFunction(FUNCTIONS.HOST_FUNCTION_TYPE_UPLOAD_CONTRACT_WASM, wasm=b"\0asm")
    upload = details(sdk.InvokeHostFunction(wasm), soroban=True)

    assert {
        "function": "HostFunctionTypeHostFunctionTypeUploadContractWasm",
        "type": "upload_wasm",
        "contract_code_hash": FOOTPRINT["contract_code_hash"],
        "ledger_key_hash": FOOTPRINT["ledger_key_hash"],
    } == upload
    assert details(sdk.ExtendFootprintTTL(99), soroban=True) == {
        "type": "extend_footprint_ttl",
        "extend_to": 99,
        **FOOTPRINT,
    }
    assert details(sdk.RestoreFootprint(), soroban=True) == {
        "type": "restore_footprint",
        **FOOTPRINT,
    }
