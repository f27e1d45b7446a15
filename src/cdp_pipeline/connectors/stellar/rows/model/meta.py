"""Transaction meta: ledger entry changes and events (Stellar-ledger.x)."""

# ruff: noqa: D101 - an undocumented struct holds the part of the XDR type of its name

from __future__ import annotations

from msgspec import Raw, Struct, field

_NO_CHANGES = Raw(b"[]")


class Signer(Struct, gc=False):
    key: str


class AccountExtV2(Struct, gc=False):
    signer_sponsoring_i_ds: list[str | None]


class AccountExtV1Ext(Struct, gc=False):
    v2: AccountExtV2 | None = None


class AccountExtV1(Struct, gc=False):
    ext: str | AccountExtV1Ext


class AccountExt(Struct, gc=False):
    v1: AccountExtV1 | None = None


class AccountEntry(Struct, gc=False):
    account_id: str
    balance: str
    signers: list[Signer]
    ext: str | AccountExt


class PoolParameters(Struct, gc=False):
    asset_a: str | dict[str, dict[str, str]]
    asset_b: str | dict[str, dict[str, str]]


class PoolBodyConstantProduct(Struct, gc=False):
    params: PoolParameters
    reserve_a: str
    reserve_b: str
    total_pool_shares: str


class PoolBody(Struct, gc=False):
    liquidity_pool_constant_product: PoolBodyConstantProduct


class PoolEntry(Struct, gc=False):
    liquidity_pool_id: str
    body: PoolBody


class EntryData(Struct, gc=False):
    """The data of a ledger entry, or its key; other kinds than these two are not read."""

    account: AccountEntry | None = None
    liquidity_pool: PoolEntry | None = None


class EntryExtV1(Struct, gc=False):
    sponsoring_id: str | None


class EntryExt(Struct, gc=False):
    v1: EntryExtV1 | None = None


class LedgerEntry(Struct, gc=False):
    data: EntryData
    ext: str | EntryExt


class PoolKey(Struct, gc=False):
    liquidity_pool_id: str


class AccountKey(Struct, gc=False):
    account_id: str


class EntryKey(Struct, gc=False):
    account: AccountKey | None = None
    liquidity_pool: PoolKey | None = None


class Change(Struct, gc=False):
    """LedgerEntryChange; exactly one arm is set."""

    created: LedgerEntry | None = None
    updated: LedgerEntry | None = None
    removed: EntryKey | None = None
    state: LedgerEntry | None = None
    restored: LedgerEntry | None = None


class EventBodyV0(Struct, gc=False):
    topics: Raw
    data: Raw


class EventBody(Struct, gc=False):
    v0: EventBodyV0


class ContractEvent(Struct, gc=False):
    contract_id: str | None
    kind: str = field(name="type")
    body: EventBody


class TransactionEvent(Struct, gc=False):
    stage: str
    event: ContractEvent


class DiagnosticEvent(Struct, gc=False):
    in_successful_contract_call: bool
    event: ContractEvent


class SorobanMetaExtBody(Struct, gc=False):
    total_non_refundable_resource_fee_charged: str
    total_refundable_resource_fee_charged: str
    rent_fee_charged: str


class SorobanMetaExt(Struct, gc=False):
    v1: SorobanMetaExtBody | None = None


class SorobanMeta(Struct, gc=False):
    """SorobanTransactionMeta and its V2, which has no events of its own."""

    ext: str | SorobanMetaExt = "v0"
    events: list[ContractEvent] = []
    diagnostic_events: list[DiagnosticEvent] = []


class OperationMeta(Struct, gc=False):
    """OperationMeta and its V2, which adds `events`."""

    changes: Raw
    events: list[ContractEvent] = []


class MetaBody(Struct, gc=False):
    """TransactionMeta V1 to V4; what a version lacks has a default."""

    operations: list[OperationMeta]
    tx_changes_after: Raw = _NO_CHANGES
    soroban_meta: SorobanMeta | None = None
    events: list[TransactionEvent] = []
    diagnostic_events: list[DiagnosticEvent] = []


class TransactionMeta(Struct, gc=False):
    """One arm is set; version 0 holds nothing but operations."""

    v0: list[OperationMeta] | None = None
    v1: MetaBody | None = None
    v2: MetaBody | None = None
    v3: MetaBody | None = None
    v4: MetaBody | None = None
