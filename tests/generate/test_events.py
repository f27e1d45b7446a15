"""Unified events (CAP-67) of generated ledgers: they and the balances tell one story."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from stellar_sdk import Asset, StrKey, xdr

from cdp_pipeline.connectors.stellar.networks import STANDALONE_PASSPHRASE
from tests.generate.closed import Closed, entry_key, steps

Movements = Counter[tuple[bytes, bytes]]
"""Stroops gained by holder (packed `SCAddress`) and asset (id of its contract)."""

_MOVES = ("transfer", "mint", "burn", "clawback")
_NATIVE = Asset.native()


@pytest.mark.parametrize("name", ["modern", "backfilled"])
def test_events_explain_every_balance(name: str, request: pytest.FixtureRequest) -> None:
    """What an operation's events say was moved is what its entries gained and lost."""
    ledgers: list[Closed] = request.getfixturevalue(name)
    seen: Counter[str] = Counter()
    for ledger in ledgers:
        for one in ledger.transactions:
            for operation in one.meta.operations:
                told = _told(operation.events, seen)
                assert _moved(operation.changes.ledger_entry_changes) == told
    assert set(_MOVES) <= set(seen)


def _contract(asset: Asset) -> bytes:
    """Id of the Stellar Asset Contract of an asset."""
    return StrKey.decode_contract(asset.contract_id(STANDALONE_PASSPHRASE))


def _emitter(event: xdr.ContractEvent) -> bytes:
    assert event.contract_id is not None
    return event.contract_id.contract_id.hash


def _asset_name(event: xdr.ContractEvent) -> str | None:
    """The SEP-11 name that an asset event ends with; None for other events."""
    last = event.body.v0.topics[-1]
    return None if last.str is None else last.str.sc_string.decode()


def _kind(event: xdr.ContractEvent) -> str:
    symbol = event.body.v0.topics[0].sym
    assert symbol is not None
    return symbol.sc_symbol.decode()


def _amount(event: xdr.ContractEvent) -> int:
    data = event.body.v0.data
    if data.map is not None:
        (data,) = [one.val for one in data.map.sc_map if one.key.sym.sc_symbol == b"amount"]
    return (data.i128.hi.int64 << 64) + data.i128.lo.uint64


def _told(events: list[xdr.ContractEvent], seen: Counter[str]) -> Movements:
    """What events say was gained and lost, without what came to nothing."""
    moves: Movements = Counter()
    for event in events:
        name, kind = _asset_name(event), _kind(event)
        if name is None or kind == "set_authorized":
            continue
        seen[kind] += 1
        parties = [one.address.to_xdr_bytes() for one in event.body.v0.topics[1:-1]]
        if kind != "mint":
            moves[parties[0], _emitter(event)] -= _amount(event)
        if kind in {"transfer", "mint"}:
            moves[parties[-1], _emitter(event)] += _amount(event)
    return Counter({key: stroops for key, stroops in moves.items() if stroops})


def _moved(changes: list[Any]) -> Movements:
    """What entries gained and lost."""
    moves: Movements = Counter()
    states: dict[bytes, xdr.LedgerEntryData] = {}
    for change in changes:
        if change.state is not None:
            states[entry_key(change.state.data)] = change.state.data
        elif change.removed is not None:
            _count(moves, states[change.removed.to_xdr_bytes()], -1)
        else:
            after = (change.created or change.updated).data
            _count(moves, after, 1)
            before = states.get(entry_key(after))
            if before is not None:
                _count(moves, before, -1)
    return Counter({key: stroops for key, stroops in moves.items() if stroops})


def _count(moves: Movements, data: xdr.LedgerEntryData, sign: int) -> None:
    if data.account is not None:
        moves[_account(data.account.account_id), _contract(_NATIVE)] += (
            sign * data.account.balance.int64
        )
    elif data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is None:
        line = data.trust_line
        moves[_account(line.account_id), _of(line.asset)] += sign * line.balance.int64
    elif data.claimable_balance is not None:
        kind = xdr.SCAddressType.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE
        balance = data.claimable_balance
        holder = xdr.SCAddress(kind, claimable_balance_id=balance.balance_id).to_xdr_bytes()
        moves[holder, _of(balance.asset)] += sign * balance.amount.int64
    elif data.liquidity_pool is not None:
        _count_pool(moves, data.liquidity_pool, sign)
    elif data.contract_data is not None:
        _count_contract(moves, data.contract_data, sign)


def _count_pool(moves: Movements, pool: xdr.LiquidityPoolEntry, sign: int) -> None:
    kind, held = xdr.SCAddressType.SC_ADDRESS_TYPE_LIQUIDITY_POOL, pool.body.constant_product
    assert held is not None
    holder = xdr.SCAddress(kind, liquidity_pool_id=pool.liquidity_pool_id).to_xdr_bytes()
    moves[holder, _of(held.params.asset_a)] += sign * held.reserve_a.int64
    moves[holder, _of(held.params.asset_b)] += sign * held.reserve_b.int64


def _count_contract(moves: Movements, stored: xdr.ContractDataEntry, sign: int) -> None:
    """The balance that the asset contract keeps for another contract."""
    if stored.key.vec is None or stored.key.vec.sc_vec[0].sym.sc_symbol != b"Balance":
        return
    holder = stored.key.vec.sc_vec[1].address.to_xdr_bytes()
    (amount,) = [one.val for one in stored.val.map.sc_map if one.key.sym.sc_symbol == b"amount"]
    moves[holder, stored.contract.contract_id.contract_id.hash] += sign * amount.i128.lo.uint64


def _account(account_id: xdr.AccountID) -> bytes:
    kind = xdr.SCAddressType.SC_ADDRESS_TYPE_ACCOUNT
    return xdr.SCAddress(kind, account_id=account_id).to_xdr_bytes()


def _of(asset: xdr.Asset | xdr.TrustLineAsset) -> bytes:
    plain = xdr.Asset(asset.type, alpha_num4=asset.alpha_num4, alpha_num12=asset.alpha_num12)
    return _contract(Asset.from_xdr_object(plain))


def test_lumens_are_only_lost_to_fees(every: list[Closed]) -> None:
    """What all entries together lose in lumens is what the ledger's fee pool gains."""
    for ledger in every:
        lost = 0
        for changes in steps(ledger):
            moved = _moved(changes).items()
            lost -= sum(stroops for (_, asset), stroops in moved if asset == _contract(_NATIVE))
        assert sum(one.result.fee_charged.int64 for one in ledger.transactions) == lost


def test_asset_events_come_from_the_assets_contract(modern: list[Closed]) -> None:
    """The SEP-11 name at the end of an asset event belongs to the contract that emits it."""
    names = set()
    for ledger in modern:
        for one in ledger.transactions:
            for operation in one.meta.operations:
                for event in operation.events:
                    name = _asset_name(event)
                    if name is not None:
                        names.add(name)
                        asset = _NATIVE if name == "native" else Asset(*name.split(":"))
                        assert _contract(asset) == _emitter(event)
    assert len(names) > 4


@pytest.mark.parametrize("name", ["modern", "backfilled"])
def test_fee_events_sum_to_what_was_charged(name: str, request: pytest.FixtureRequest) -> None:
    """The fee is taken first and by whom it says; a refund is negative, at its protocol's stage."""
    stages = xdr.TransactionEventStage
    late = stages.TRANSACTION_EVENT_STAGE_AFTER_ALL_TXS
    refund_stage = late if name == "modern" else stages.TRANSACTION_EVENT_STAGE_AFTER_TX
    refunds = 0
    for ledger in request.getfixturevalue(name):
        for one in ledger.transactions:
            first, *refund = one.meta.events
            assert stages.TRANSACTION_EVENT_STAGE_BEFORE_ALL_TXS == first.stage
            assert [refund_stage] * len(refund) == [event.stage for event in refund]
            assert (one.meta.soroban_meta is not None) == bool(refund)
            refunds += len(refund)
            total = sum(_signed_amount(event.event) for event in one.meta.events)
            assert one.result.fee_charged.int64 == total
            for event in one.meta.events:
                payer = event.event.body.v0.topics[1].address.account_id.account_id
                assert one.fee_source == payer.ed25519.uint256
    assert refunds


def _signed_amount(event: xdr.ContractEvent) -> int:
    amount = event.body.v0.data.i128
    assert amount is not None
    return (amount.hi.int64 << 64) + amount.lo.uint64


def test_muxed_ids_of_payments(modern: list[Closed]) -> None:
    """A muxed destination wins over the memo, a memo stands in, a burn tells neither."""
    told: set[str] = set()
    for ledger in modern:
        for one in ledger.transactions:
            if not one.succeeded or one.meta.soroban_meta is not None:
                continue
            operations = zip(one.inner.tx.operations, one.meta.operations, strict=True)
            for operation, meta in operations:
                if operation.body.payment_op is not None:
                    told.add(
                        _check_payment(operation.body.payment_op, one.inner.tx.memo, *meta.events)
                    )
    assert {"none", "muxed", "text", "id", "hash", "burn"} == told


def _check_payment(payment: xdr.PaymentOp, memo: xdr.Memo, event: xdr.ContractEvent) -> str:
    """Check the event of a payment; says which rule applied."""
    assert payment.amount.int64 == _amount(event)
    data = event.body.v0.data
    told = None
    if data.map is not None:
        (told,) = [one.val for one in data.map.sc_map if one.key.sym.sc_symbol == b"to_muxed_id"]
    if _kind(event) == "burn":
        assert told is None
        return "burn"
    if payment.destination.med25519 is not None:
        assert told is not None
        assert payment.destination.med25519.id == told.u64
        return "muxed"
    return _check_memo(memo, told)


def _check_memo(memo: xdr.Memo, told: xdr.SCVal | None) -> str:
    if told is None:
        assert xdr.MemoType.MEMO_NONE == memo.type
        return "none"
    if told.str is not None:
        assert memo.text == told.str.sc_string
        return "text"
    if told.u64 is not None:
        assert memo.id == told.u64
        return "id"
    value = memo.hash or memo.ret_hash
    assert value is not None
    assert told.bytes is not None
    assert value.hash == told.bytes.sc_bytes
    return "hash"


def test_authorization_events_tell_the_flag(modern: list[Closed]) -> None:
    """`set_authorized` says what the trust line's flag is afterwards."""
    told = set()
    for ledger in modern:
        for one in ledger.transactions:
            for operation in one.meta.operations:
                for event in operation.events:
                    if _kind(event) == "set_authorized":
                        line = operation.changes.ledger_entry_changes[-1].updated.data.trust_line
                        assert event.body.v0.data.b == bool(line.flags.uint32 & 1)
                        told.add(event.body.v0.data.b)
    assert {True, False} == told


def test_custom_events_hold_every_kind_of_value(modern: list[Closed]) -> None:
    """The contract's own events have one to four topics and all kinds of values."""
    kinds: set[xdr.SCValType] = set()
    topics: set[int] = set()
    for ledger in modern:
        for one in ledger.transactions:
            if one.meta.soroban_meta is not None and one.succeeded:
                for event in one.meta.operations[0].events:
                    topics.add(len(event.body.v0.topics))
                    for value in (*event.body.v0.topics, event.body.v0.data):
                        kinds |= _kinds(value)
    # Later protocols add kinds, and three more only ever stand in keys.
    assert set(range(xdr.SCValType.SCV_ADDRESS + 1)) == {kind.value for kind in kinds}
    assert {1, 2, 3, 4} == topics


def _kinds(value: xdr.SCVal) -> set[xdr.SCValType]:
    inner = [] if value.vec is None else value.vec.sc_vec
    if value.map is not None:
        inner = [one.val for one in value.map.sc_map]
    return {value.type}.union(*map(_kinds, inner))


def test_lakes_without_unified_events(before_23: list[Closed], silent: list[Closed]) -> None:
    """Without unified events only contracts have any, and there are no fee events."""
    for ledger in before_23:
        for one in ledger.transactions:
            assert not hasattr(one.meta, "events")
    called = 0
    for ledger in silent:
        for one in ledger.transactions:
            assert [] == one.meta.events
            told = [event for operation in one.meta.operations for event in operation.events]
            assert one.meta.soroban_meta is not None or not told
            called += len(told)
    assert called
