"""Transactions of generated ledgers: signatures, sequences, fees, results, what occurs."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

from stellar_sdk import Keypair, xdr

from tests.generate.closed import Closed, Transaction, entry_key, hash_of, public_key

_HAPPENING = {
    "CREATE_ACCOUNT",
    "PAYMENT",
    "PATH_PAYMENT_STRICT_RECEIVE",
    "PATH_PAYMENT_STRICT_SEND",
    "MANAGE_SELL_OFFER",
    "MANAGE_BUY_OFFER",
    "CREATE_PASSIVE_SELL_OFFER",
    "SET_OPTIONS",
    "CHANGE_TRUST",
    "ALLOW_TRUST",
    "ACCOUNT_MERGE",
    "MANAGE_DATA",
    "BUMP_SEQUENCE",
    "CREATE_CLAIMABLE_BALANCE",
    "CLAIM_CLAIMABLE_BALANCE",
    "CLAWBACK",
    "SET_TRUST_LINE_FLAGS",
    "LIQUIDITY_POOL_DEPOSIT",
    "LIQUIDITY_POOL_WITHDRAW",
    "INVOKE_HOST_FUNCTION",
    "EXTEND_FOOTPRINT_TTL",
}


def _all(ledgers: list[Closed]) -> list[Transaction]:
    return [one for ledger in ledgers for one in ledger.transactions]


def _verify(message: bytes, keys: list[bytes], signatures: list[xdr.DecoratedSignature]) -> None:
    hints = {key[-4:]: Keypair.from_raw_ed25519_public_key(key) for key in keys}
    assert len(hints) == len(signatures)
    for one in signatures:
        hints[one.hint.signature_hint].verify(message, one.signature.signature)


def test_signatures_are_real(every: list[Closed]) -> None:
    """The source and every operation's own source signed, and nobody else."""
    for one in _all(every[:10]):
        inner = one.inner
        envelope = xdr.TransactionEnvelope(xdr.EnvelopeType.ENVELOPE_TYPE_TX, v1=inner)
        sources = [operation.source_account for operation in inner.tx.operations]
        actors = [inner.tx.source_account, *(source for source in sources if source is not None)]
        keys = list(dict.fromkeys(map(public_key, actors)))
        _verify(hash_of(envelope), keys, inner.signatures)
        if one.envelope.fee_bump is not None:
            signatures = one.envelope.fee_bump.signatures
            _verify(hash_of(one.envelope), [one.fee_source], signatures)


def test_inner_hash_of_fee_bumps(modern: list[Closed]) -> None:
    """The result of a fee bump names the hash of the transaction within."""
    bumps = [one for one in _all(modern) if one.envelope.fee_bump is not None]
    assert {True, False} == {one.succeeded for one in bumps}
    for one in bumps:
        envelope = xdr.TransactionEnvelope(xdr.EnvelopeType.ENVELOPE_TYPE_TX, v1=one.inner)
        pair = one.result.result.inner_result_pair
        assert pair is not None
        assert hash_of(envelope) == pair.transaction_hash.hash


def test_sequences_grow_by_one(every: list[Closed]) -> None:
    """Each transaction takes the next sequence number of its source, in apply order."""
    last: dict[bytes, int] = {}
    for one in _all(every):
        source = public_key(one.inner.tx.source_account)
        sequence = one.inner.tx.seq_num.sequence_number.int64
        assert last.get(source, sequence - 1) + 1 == sequence
        last[source] = sequence


def test_fees_stay_within_the_bid(every: list[Closed]) -> None:
    """What is charged is the base fee and the resources used, never more than was offered."""
    for one in _all(every):
        bump = one.envelope.fee_bump
        bid = one.inner.tx.fee.uint32 if bump is None else bump.tx.fee.int64
        charged = one.result.fee_charged.int64
        paid_operations = len(one.inner.tx.operations) + (bump is not None)
        resources = 0
        if one.meta.soroban_meta is not None:
            fees = one.meta.soroban_meta.ext.v1
            resources = fees.total_non_refundable_resource_fee_charged.int64
            resources += fees.total_refundable_resource_fee_charged.int64
        assert 100 * paid_operations + resources == charged <= bid


def test_what_occurs(modern: list[Closed]) -> None:
    """Each kind of operation succeeds, and many ways to fail are there."""
    happened: Counter[str] = Counter()
    failed: set[str] = set()
    for one in _all(modern):
        for result in one.operation_results():
            assert result.tr is not None
            kind = result.tr.type.name
            (code,) = [
                value.code.name
                for name, value in vars(result.tr).items()
                if name != "type" and value is not None
            ]
            if code.endswith("_SUCCESS"):
                happened[kind] += one.succeeded
            else:
                failed.add(code)
    assert set() == _HAPPENING - set(+happened)
    assert len(failed) >= 10


def test_failed_transactions_change_nothing(every: list[Closed]) -> None:
    """A failed transaction has no operation meta and exactly one operation that failed."""
    failed = [one for one in _all(every) if not one.succeeded]
    assert failed
    for one in failed:
        assert [] == one.meta.operations
        results = [result.to_xdr_bytes() for result in one.operation_results()]
        assert len(one.inner.tx.operations) == len(results)


def test_operations_and_results_pair_up(every: list[Closed]) -> None:
    """Operations, results and metas have the same length and kinds."""
    for one in _all(every):
        kinds = [operation.body.type for operation in one.inner.tx.operations]
        results = [result.tr.type for result in one.operation_results() if result.tr is not None]
        assert kinds == results
        if one.succeeded:
            assert len(kinds) == len(one.meta.operations)


def test_memos_and_preconditions_of_every_kind(modern: list[Closed]) -> None:
    """All five memos, all three preconditions, muxed sources and destinations occur."""
    transactions = [one.inner.tx for one in _all(modern)]
    assert set(xdr.MemoType) == {one.memo.type for one in transactions}
    assert set(xdr.PreconditionType) == {one.cond.type for one in transactions}
    assert any(one.source_account.med25519 is not None for one in transactions)
    payments = [operation.body.payment_op for one in transactions for operation in one.operations]
    assert any(one is not None and one.destination.med25519 is not None for one in payments)


def test_time_bounds_hold(modern: list[Closed]) -> None:
    """No transaction is applied outside its time bounds."""
    for ledger in modern:
        for one in ledger.transactions:
            conditions = one.inner.tx.cond
            bounds = conditions.time_bounds or (conditions.v2 and conditions.v2.time_bounds)
            if bounds is not None:
                low, high = bounds.min_time.time_point.uint64, bounds.max_time.time_point.uint64
                assert low <= ledger.raw.close_time <= high


def test_soroban_results_name_their_events(every: list[Closed]) -> None:
    """The success hash is that of the return value and the events, wherever the meta has them."""
    seen = 0
    for one in _all(every):
        result = one.operation_results()[0].tr
        assert result is not None
        invoked = result.invoke_host_function_result
        if invoked is None or invoked.success is None:
            continue
        soroban = one.meta.soroban_meta
        events = soroban.events if hasattr(soroban, "events") else one.meta.operations[0].events
        image = xdr.InvokeHostFunctionSuccessPreImage(soroban.return_value, events)
        assert sha256(image.to_xdr_bytes()).digest() == invoked.success.hash
        seen += 1
    assert seen > 10


def test_footprints_cover_what_is_written(every: list[Closed]) -> None:
    """A call changes contract data and balances only where its footprint lets it write."""
    for one in _all(every):
        data = one.inner.tx.ext.soroban_data
        if data is None or not one.succeeded:
            continue
        footprint = data.resources.footprint
        allowed = {key.to_xdr_bytes() for key in footprint.read_write}
        for change in one.meta.operations[0].changes.ledger_entry_changes:
            entry = change.created or change.updated
            if entry is not None and entry.data.ttl is None:
                assert entry_key(entry.data) in allowed
