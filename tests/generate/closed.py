"""Reads generated ledgers with stellar-sdk only, which shares no code with the generator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from stellar_sdk import xdr

from cdp_pipeline.connectors.stellar.generate import GeneratedLedger, LakeSpec, generate_ledgers
from cdp_pipeline.connectors.stellar.networks import STANDALONE_PASSPHRASE


@dataclass
class Closed:
    """A generated ledger and the same decoded."""

    raw: GeneratedLedger
    meta: Any
    """`LedgerCloseMetaV1` or `LedgerCloseMetaV2`."""
    version: int
    """Which of them."""

    @property
    def header(self) -> xdr.LedgerHeader:
        header: xdr.LedgerHeader = self.meta.ledger_header.header
        return header

    @cached_property
    def envelopes(self) -> list[xdr.TransactionEnvelope]:
        """The transaction set, phase by phase."""
        found: list[xdr.TransactionEnvelope] = []
        for phase in self.meta.tx_set.v1_tx_set.phases:
            for component in phase.v0_components or []:
                found += component.txs_maybe_discounted_fee.txs
            if phase.parallel_txs_component is not None:
                for stage in phase.parallel_txs_component.execution_stages:
                    for cluster in stage.parallel_tx_execution_stage:
                        found += cluster.dependent_tx_cluster
        return found

    @cached_property
    def transactions(self) -> list[Transaction]:
        """The transactions in apply order, each with its envelope."""
        envelopes = {hash_of(envelope): envelope for envelope in self.envelopes}
        return [
            Transaction(envelopes[one.result.transaction_hash.hash], one)
            for one in self.meta.tx_processing
        ]


@dataclass
class Transaction:
    """A transaction of a generated ledger."""

    envelope: xdr.TransactionEnvelope
    processed: Any
    """`TransactionResultMeta` or `TransactionResultMetaV1`."""

    @property
    def inner(self) -> xdr.TransactionV1Envelope:
        """The envelope of the transaction itself, without a fee bump around it."""
        bump = self.envelope.fee_bump
        inner = self.envelope.v1 if bump is None else bump.tx.inner_tx.v1
        assert inner is not None
        return inner

    @property
    def meta(self) -> Any:
        """`TransactionMetaV3` or `TransactionMetaV4`."""
        meta = self.processed.tx_apply_processing
        return meta.v4 if meta.v == 4 else meta.v3

    @property
    def result(self) -> xdr.TransactionResult:
        result: xdr.TransactionResult = self.processed.result.result
        return result

    @property
    def succeeded(self) -> bool:
        return self.result.result.code.name in {"txSUCCESS", "txFEE_BUMP_INNER_SUCCESS"}

    def operation_results(self) -> list[xdr.OperationResult]:
        outer = self.result.result
        if outer.inner_result_pair is not None:
            return outer.inner_result_pair.result.result.results or []
        return outer.results or []

    @property
    def fee_source(self) -> bytes:
        """Public key of the account that pays."""
        bump = self.envelope.fee_bump
        return public_key(self.inner.tx.source_account if bump is None else bump.tx.fee_source)


def hash_of(envelope: xdr.TransactionEnvelope) -> bytes:
    """Sha256 of the `TransactionSignaturePayload`."""
    tagged = xdr.TransactionSignaturePayloadTaggedTransaction(
        envelope.type,
        tx=envelope.v1.tx if envelope.v1 is not None else None,
        fee_bump=envelope.fee_bump.tx if envelope.fee_bump is not None else None,
    )
    network_id = xdr.Hash(sha256(STANDALONE_PASSPHRASE.encode()).digest())
    payload = xdr.TransactionSignaturePayload(network_id, tagged)
    return sha256(payload.to_xdr_bytes()).digest()


def public_key(account: xdr.MuxedAccount) -> bytes:
    """The key of an account, muxed or not."""
    key = account.ed25519 if account.med25519 is None else account.med25519.ed25519
    assert key is not None
    return key.uint256


def closed_ledgers(spec: LakeSpec) -> Iterator[Closed]:
    """Generate and decode."""
    for ledger in generate_ledgers(spec):
        meta = xdr.LedgerCloseMeta.from_xdr_bytes(ledger.xdr)
        yield Closed(ledger, meta.v2 if meta.v == 2 else meta.v1, meta.v)


def entry_key(data: xdr.LedgerEntryData) -> bytes:
    """The packed `LedgerKey` of an entry."""
    kind = data.type
    if data.account is not None:
        key = xdr.LedgerKey(kind, account=xdr.LedgerKeyAccount(data.account.account_id))
    elif data.trust_line is not None:
        line = xdr.LedgerKeyTrustLine(data.trust_line.account_id, data.trust_line.asset)
        key = xdr.LedgerKey(kind, trust_line=line)
    elif data.offer is not None:
        offer = xdr.LedgerKeyOffer(data.offer.seller_id, data.offer.offer_id)
        key = xdr.LedgerKey(kind, offer=offer)
    elif data.data is not None:
        note = xdr.LedgerKeyData(data.data.account_id, data.data.data_name)
        key = xdr.LedgerKey(kind, data=note)
    elif data.claimable_balance is not None:
        balance = xdr.LedgerKeyClaimableBalance(data.claimable_balance.balance_id)
        key = xdr.LedgerKey(kind, claimable_balance=balance)
    elif data.liquidity_pool is not None:
        pool = xdr.LedgerKeyLiquidityPool(data.liquidity_pool.liquidity_pool_id)
        key = xdr.LedgerKey(kind, liquidity_pool=pool)
    elif data.contract_data is not None:
        stored = data.contract_data
        place = xdr.LedgerKeyContractData(stored.contract, stored.key, stored.durability)
        key = xdr.LedgerKey(kind, contract_data=place)
    else:
        assert data.ttl is not None
        key = xdr.LedgerKey(kind, ttl=xdr.LedgerKeyTtl(data.ttl.key_hash))
    return key.to_xdr_bytes()


def steps(ledger: Closed) -> Iterator[list[Any]]:
    """The changes of a ledger in the order in which the network makes them."""
    processed = [one.processed for one in ledger.transactions]
    for one in processed:
        yield one.fee_processing.ledger_entry_changes
    for transaction in ledger.transactions:
        meta = transaction.meta
        yield meta.tx_changes_before.ledger_entry_changes
        for operation in meta.operations:
            yield operation.changes.ledger_entry_changes
        yield meta.tx_changes_after.ledger_entry_changes
    for one in processed:
        if ledger.version == 2:
            yield one.post_tx_apply_fee_processing.ledger_entry_changes
