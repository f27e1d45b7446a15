"""LedgerCloseMeta: header, transaction set and processing (Stellar-ledger.x)."""

# ruff: noqa: D101 - an undocumented struct holds the part of the XDR type of its name

from __future__ import annotations

from msgspec import Raw, Struct

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
