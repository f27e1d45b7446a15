"""Transaction sets, envelopes and operations (Stellar-transaction.x)."""

# ruff: noqa: D101 - an undocumented struct holds the part of the XDR type of its name

from __future__ import annotations

from msgspec import Raw, Struct


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
