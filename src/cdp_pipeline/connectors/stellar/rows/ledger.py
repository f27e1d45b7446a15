"""Joins the parts of one ledger: each transaction's result, meta and envelope, and their raw bytes.

Results come in application order, envelopes in the order of the transaction set, so the two are
matched by transaction hash: sha256 of network id, envelope type and transaction XDR.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Final

import msgspec

from .. import xdr as stellar_xdr
from . import model
from .errors import LedgerUnreadable, TransactionUnmatched
from .toid import toid

MICROSECONDS_PER_SECOND: Final = 1_000_000
_HASH_SIZE: Final = 32
_SUCCESS: Final = ("tx_success", "tx_fee_bump_inner_success")
_FEE_BUMP_INNER: Final = ("tx_fee_bump_inner_success", "tx_fee_bump_inner_failed")
_APPLIED: Final = ("tx_success", "tx_failed")
_TYPE_V0, _TYPE_TX = (0).to_bytes(4, "big"), (2).to_bytes(4, "big")
_KEY_TYPE_ED25519 = bytes(4)

_ledger_decoder = msgspec.json.Decoder(model.LedgerCloseMeta)
_set_decoder = msgspec.json.Decoder(model.TransactionSet)
_meta_decoder = msgspec.json.Decoder(model.TransactionMeta)
_inner_decoder = msgspec.json.Decoder(model.InnerResult)
_results_decoder = msgspec.json.Decoder(list[str | model.OperationResult])

OperationResults = list[str | model.OperationResult]


class Transaction:
    """One transaction of a ledger.

    Attributes:
        order: Place in application order, from 1.
        id: Its total order id.
        processing: Result, fee changes and meta.
        hash: Its hash, hex.
        code: Result code in SEP-51 form, e.g. `tx_success`.
        successful: Whether all operations were applied.
        envelope, envelope_span: Set once envelopes were matched; bytes from start to end.
    """

    __slots__ = (
        "_meta", "_results", "code", "envelope", "envelope_span", "hash", "id", "order",
        "processing", "successful",
    )  # fmt: skip

    def __init__(self, order: int, identity: int, processing: model.ResultMeta) -> None:
        self.order = order
        self.id = identity
        self.processing = processing
        self.hash = processing.result.transaction_hash
        self.code = _code(processing.result.result.result)
        self.successful = self.code in _SUCCESS
        self.envelope = model.Envelope()
        self.envelope_span = (0, 0)
        self._meta: tuple[int, model.MetaBody] | None = None
        self._results: OperationResults | None = None

    @property
    def operation_results(self) -> OperationResults:
        """A result per operation; empty when the transaction was not applied at all."""
        if self._results is None:
            self._results = _operation_results(self.processing.result.result)
        return self._results

    @property
    def inner_hash(self) -> str | None:
        """Hash of the inner transaction of a fee bump, hex."""
        result = self.processing.result.result.result
        if isinstance(result, str) or self.code not in _FEE_BUMP_INNER:
            return None
        return _inner_decoder.decode(result[self.code]).transaction_hash

    @property
    def meta_version(self) -> int:
        """Version of its TransactionMeta, 0 to 4."""
        return self._versioned_meta()[0]

    @property
    def meta(self) -> model.MetaBody:
        """Its TransactionMeta in the one shape that all versions share."""
        return self._versioned_meta()[1]

    def _versioned_meta(self) -> tuple[int, model.MetaBody]:
        if self._meta is None:
            self._meta = _meta_arm(_meta_decoder.decode(self.processing.tx_apply_processing))
        return self._meta

    def meta_mentions(self, json: bytes) -> bool:
        """Whether a piece of JSON occurs in the meta at all: cheaper than reading it."""
        return json in bytes(self.processing.tx_apply_processing)

    @property
    def body(self) -> model.Transaction:
        """The transaction inside the envelope; of a fee bump, the inner one."""
        return signed_transaction(self.envelope).tx

    @property
    def signatures(self) -> list[model.Signature]:
        """Signatures of the envelope; of a fee bump, the outer ones."""
        return (self.envelope.tx_fee_bump or signed_transaction(self.envelope)).signatures


def signed_transaction(envelope: model.Envelope) -> model.TransactionEnvelope:
    """Return the transaction with its signatures; of a fee bump, the inner one."""
    bump = envelope.tx_fee_bump
    signed = bump.tx.inner_tx.tx if bump is not None else envelope.tx or envelope.tx_v0
    if signed is None:
        raise LedgerUnreadable("transaction envelope has none of the kinds V0, V1 and fee bump")
    return signed


def _code(result: str | dict[str, msgspec.Raw]) -> str:
    return result if isinstance(result, str) else next(iter(result))


def _operation_results(outer: model.TransactionResult) -> OperationResults:
    result = outer.result
    if isinstance(result, str):
        return []
    code, body = next(iter(result.items()))
    if code in _FEE_BUMP_INNER:
        return _operation_results(_inner_decoder.decode(body).result)
    return _results_decoder.decode(body) if code in _APPLIED else []


def _meta_arm(union: model.TransactionMeta) -> tuple[int, model.MetaBody]:
    if union.v0 is not None:
        return 0, model.MetaBody(operations=union.v0)
    for version, body in enumerate((union.v1, union.v2, union.v3, union.v4), start=1):
        if body is not None:
            return version, body
    raise LedgerUnreadable("transaction meta has none of the versions 0 to 4")


class Ledger:
    """One decoded ledger.

    Attributes:
        xdr: The raw LedgerCloseMeta.
        network_id: sha256 of the network's passphrase, 32 bytes.
        close: Header, transaction set and processing.
        header, sequence: The ledger's header, and its number.
        closed_at_us: Close time, microseconds since 1970 UTC.
        transactions: In application order.
    """

    def __init__(self, xdr: bytes, *, network_id: bytes, spans: Collection[str]) -> None:
        """Decode `xdr` and keep the byte ranges of the XDR types named in `spans`.

        Raises:
            XdrError: the bytes are no valid LedgerCloseMeta.
            LedgerUnreadable: the decoded ledger has an unexpected shape.
        """
        decoded = stellar_xdr.decode(xdr, spans=tuple(spans))
        self.xdr = xdr
        self.network_id = network_id
        self._spans: dict[str, list[tuple[int, int]]] = {name: [] for name in spans}
        for name, start, end in decoded.spans:
            self._spans[name].append((start, end))
        self.close = _read_close_meta(decoded.json)
        self.header = self.close.ledger_header.header
        self.sequence = sequence = self.header.ledger_seq
        self.closed_at_us = int(self.header.scp_value.close_time) * MICROSECONDS_PER_SECOND
        self.transactions = [
            Transaction(order, toid(sequence, order), processing)
            for order, processing in enumerate(self.close.tx_processing, start=1)
        ]

    def all_spans(self, type_name: str) -> list[tuple[int, int]]:
        """Return (start, end) of every value of an XDR type, in order of start."""
        return self._spans[type_name]

    def spans_within(self, type_name: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return the (start, end) of the values of a type that lie in a byte range."""
        spans = self._spans[type_name]
        return spans[bisect_left(spans, (start, 0)) : bisect_left(spans, (end, 0))]

    @cached_property
    def envelopes(self) -> list[model.Envelope]:
        """Every envelope, in the order of the transaction set."""
        return list(_set_envelopes(_set_decoder.decode(self.close.tx_set)))

    def match_envelopes(self) -> None:
        """Give every transaction its envelope, by hash.

        Raises:
            TransactionUnmatched: a result has no envelope of its hash.
        """
        by_hash = {self._hash(span): (envelope, span) for envelope, span in self._envelope_spans()}
        for transaction in self.transactions:
            found = by_hash.get(transaction.hash)
            if found is None:
                raise TransactionUnmatched(
                    f"result {transaction.order} of ledger {self.sequence} names transaction "
                    f"`{transaction.hash}`, which no envelope hashes to on network id "
                    f"`{self.network_id.hex()}`"
                )
            transaction.envelope, transaction.envelope_span = found

    def _envelope_spans(self) -> Iterator[tuple[model.Envelope, tuple[int, int]]]:
        spans = self._spans["TransactionEnvelope"]
        if len(spans) != len(self.envelopes):
            raise LedgerUnreadable(
                f"ledger {self.sequence}: {len(self.envelopes)} envelopes expected, "
                f"{len(spans)} byte ranges found"
            )
        return zip(self.envelopes, spans, strict=True)

    @cached_property
    def _transaction_ends(self) -> dict[int, int]:
        names = ("TransactionV0", "Transaction", "FeeBumpTransaction")
        return dict(span for name in names for span in self._spans[name])

    def _hash(self, span: tuple[int, int]) -> str:
        kind, start = self.xdr[span[0] : span[0] + 4], span[0] + 4
        body = self.xdr[start : self._transaction_ends[start]]
        if kind == _TYPE_V0:  # signed and hashed as a V1 transaction with a plain source key
            kind, body = _TYPE_TX, _KEY_TYPE_ED25519 + body
        return hashlib.sha256(self.network_id + kind + body).hexdigest()


def _read_close_meta(json: bytes) -> model.CloseMeta:
    union = _ledger_decoder.decode(json)
    close = union.v0 or union.v1 or union.v2
    if close is None:
        raise LedgerUnreadable("ledger close meta has none of the versions 0, 1 and 2")
    return close


def _set_envelopes(transaction_set: model.TransactionSet) -> Iterator[model.Envelope]:
    if transaction_set.v1 is None:
        yield from transaction_set.txs or ()
        return
    for phase in transaction_set.v1.phases:
        for component in phase.v0 or ():
            yield from component.txset_comp_txs_maybe_discounted_fee.txs
        for stage in phase.v1.execution_stages if phase.v1 else ():
            for cluster in stage:
                yield from cluster
