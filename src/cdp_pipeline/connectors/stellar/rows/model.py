"""The parts of a ledger's SEP-51 JSON that rows need, as typed structs.

Fields not named here are skipped by the parser at little cost. `Raw` marks a part that is read
only by the tables that need it. Unions that may be void are `str | struct`, as SEP-51 writes a void
arm as its bare name. Integers of 64 bits are decimal strings in SEP-51.
"""

from __future__ import annotations

from msgspec import Raw, Struct, field

_NO_CHANGES = Raw(b"[]")


class CloseSignature(Struct, gc=False):
    node_id: str
    signature: str


class CloseExt(Struct, gc=False):
    signed: CloseSignature | None = None


class CloseValue(Struct, gc=False):
    close_time: str
    ext: str | CloseExt


class LedgerHeader(Struct, gc=False):
    ledger_version: int
    previous_ledger_hash: str
    scp_value: CloseValue
    ledger_seq: int
    total_coins: str
    fee_pool: str
    base_fee: int
    base_reserve: int
    max_tx_set_size: int


class LedgerHeaderEntry(Struct, gc=False):
    hash: str
    header: LedgerHeader


class TransactionResult(Struct, gc=False):
    fee_charged: str
    result: str | dict[str, Raw]


class TransactionResultPair(Struct, gc=False):
    transaction_hash: str
    result: TransactionResult


class InnerResult(Struct, gc=False):
    """The inner result of a fee-bump transaction."""

    transaction_hash: str
    result: TransactionResult


class OperationResult(Struct, gc=False):
    """A result that came from the operation itself; one entry: operation type to its result."""

    op_inner: dict[str, Raw]


class ResultMeta(Struct, gc=False):
    """TransactionResultMeta and its V1, which adds `post_tx_apply_fee_processing`."""

    result: TransactionResultPair
    fee_processing: Raw
    tx_apply_processing: Raw
    post_tx_apply_fee_processing: Raw = _NO_CHANGES


class CloseMetaExtBody(Struct, gc=False):
    soroban_fee_write1_kb: str


class CloseMetaExt(Struct, gc=False):
    v1: CloseMetaExtBody | None = None


class CloseMeta(Struct, gc=False):
    """LedgerCloseMetaV0, V1 and V2; what V0 lacks has a default."""

    ledger_header: LedgerHeaderEntry
    tx_set: Raw
    tx_processing: list[ResultMeta]
    ext: str | CloseMetaExt = "v0"
    total_byte_size_of_live_soroban_state: str = "0"
    evicted_keys: list[dict[str, Raw]] = []


class LedgerCloseMeta(Struct, gc=False):
    v0: CloseMeta | None = None
    v1: CloseMeta | None = None
    v2: CloseMeta | None = None


# Transaction sets and envelopes


class Operation(Struct, gc=False):
    source_account: str | None
    body: str | dict[str, Raw]


class TimeBounds(Struct, gc=False):
    min_time: str
    max_time: str


class LedgerBounds(Struct, gc=False):
    min_ledger: int
    max_ledger: int


class ConditionsV2(Struct, gc=False):
    time_bounds: TimeBounds | None
    ledger_bounds: LedgerBounds | None
    min_seq_num: str | None
    min_seq_age: str
    min_seq_ledger_gap: int
    extra_signers: list[str]


class Conditions(Struct, gc=False):
    time: TimeBounds | None = None
    v2: ConditionsV2 | None = None


class Footprint(Struct, gc=False):
    read_only: list[dict[str, Raw]]
    read_write: list[dict[str, Raw]]


class Resources(Struct, gc=False):
    footprint: Footprint
    instructions: int
    disk_read_bytes: int
    write_bytes: int


class ArchivedEntries(Struct, gc=False):
    archived_soroban_entries: list[int]


class SorobanDataExt(Struct, gc=False):
    v1: ArchivedEntries | None = None


class SorobanData(Struct, gc=False):
    ext: str | SorobanDataExt
    resources: Resources
    resource_fee: str


class TransactionExt(Struct, gc=False):
    v1: SorobanData | None = None


class Transaction(Struct, gc=False):
    """Transaction, and TransactionV0, whose source and time bounds are named otherwise."""

    fee: int
    seq_num: str
    memo: str | dict[str, str]
    operations: list[Operation]
    ext: str | TransactionExt
    source_account: str = ""
    source_account_ed25519: str = ""
    cond: str | Conditions = "none"
    time_bounds: TimeBounds | None = None


class Signature(Struct, gc=False):
    signature: str


class TransactionEnvelope(Struct, gc=False):
    tx: Transaction
    signatures: list[Signature]


class InnerTransaction(Struct, gc=False):
    tx: TransactionEnvelope


class FeeBumpTransaction(Struct, gc=False):
    fee_source: str
    fee: str
    inner_tx: InnerTransaction


class FeeBumpEnvelope(Struct, gc=False):
    tx: FeeBumpTransaction
    signatures: list[Signature]


class Envelope(Struct, gc=False):
    """A transaction envelope; exactly one arm is set."""

    tx: TransactionEnvelope | None = None
    tx_v0: TransactionEnvelope | None = None
    tx_fee_bump: FeeBumpEnvelope | None = None


class ComponentBody(Struct, gc=False):
    txs: list[Envelope]


class Component(Struct, gc=False):
    txset_comp_txs_maybe_discounted_fee: ComponentBody


class ParallelPhase(Struct, gc=False):
    execution_stages: list[list[list[Envelope]]]


class Phase(Struct, gc=False):
    v0: list[Component] | None = None
    v1: ParallelPhase | None = None


class TransactionSetV1(Struct, gc=False):
    phases: list[Phase]


class TransactionSet(Struct, gc=False):
    """TransactionSet (`txs`) or GeneralizedTransactionSet (`v1`)."""

    txs: list[Envelope] | None = None
    v1: TransactionSetV1 | None = None


# Transaction meta


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


# Operation bodies that are worth a shape; the others are read as plain dictionaries.


class InvokeArguments(Struct, gc=False):
    contract_address: str
    function_name: str
    args: list[Raw]


class CreateArguments(Struct, gc=False):
    contract_id_preimage: dict[str, Raw]
    constructor_args: list[Raw] = []


class HostFunction(Struct, gc=False):
    """What is invoked; none of the arms here is set for an upload of Wasm."""

    invoke_contract: InvokeArguments | None = None
    create_contract: CreateArguments | None = None
    create_contract_v2: CreateArguments | None = None


class InvokeHostFunction(Struct, gc=False):
    host_function: HostFunction
