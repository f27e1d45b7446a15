"""Builds small ledgers with stellar-sdk's XDR types, and reads their rows."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import stellar_sdk as sdk
from stellar_sdk import scval, xdr

from cdp_pipeline.connectors.stellar.rows import extract, to_json_rows

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


POOL_COLUMNS = {"liquidity_pool_id": POOL_ID, "liquidity_pool_id_strkey": POOL_STRKEY}
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


def inner(name: str, value: Any) -> xdr.OperationResult:
    number = xdr.OperationType[name.upper()]
    tr = xdr.OperationResultTr(number, **{f"{name}_result": value})
    return xdr.OperationResult(xdr.OperationResultCode.opINNER, tr=tr)


def bad_auth() -> xdr.OperationResult:
    return xdr.OperationResult(xdr.OperationResultCode.opBAD_AUTH)


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
