"""Replays what generated ledgers did: entries, balances and events tell one story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from stellar_sdk import xdr

from tests.generate.closed import Closed, Transaction

Movements = Counter[tuple[bytes, bytes]]
"""Stroops gained by holder (packed `SCAddress`) and asset (packed `Asset`)."""

_MOVES = ("transfer", "mint", "burn", "clawback")


def _steps(ledger: Closed) -> Iterator[list[Any]]:
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


def test_every_change_starts_from_the_state_before(every: list[Closed]) -> None:
    """Each STATE equals what the change before left; nothing is created twice or removed unseen."""
    known: dict[bytes, bytes | None] = {}
    for ledger in every:
        for changes in _steps(ledger):
            for change in changes:
                _replay(change, known)


def _replay(change: xdr.LedgerEntryChange, known: dict[bytes, bytes | None]) -> None:
    if change.removed is not None:
        key = change.removed.to_xdr_bytes()
        assert known.get(key) is not None
        known[key] = None
        return
    entry = change.state or change.created or change.updated
    assert entry is not None
    key, packed = _key(entry.data), entry.to_xdr_bytes()
    if change.state is not None:
        assert known.get(key, packed) == packed
    elif change.created is not None:
        assert known.get(key) is None
    else:
        assert known.get(key) is not None
    known[key] = packed


def _key(data: xdr.LedgerEntryData) -> bytes:
    """Some bytes that tell the entry from all others; for removable ones the `LedgerKey`."""
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
        key = xdr.LedgerKey(kind, ttl=xdr.LedgerKeyTTL(data.ttl.key_hash))
    return key.to_xdr_bytes()


def test_evicted_keys_were_created_before(modern: list[Closed]) -> None:
    """What is evicted is a temporary entry of an earlier ledger and its time to live."""
    created: set[bytes] = set()
    evicted: list[bytes] = []
    for ledger in modern:
        keys = [key.to_xdr_bytes() for key in ledger.meta.evicted_keys]
        assert created.issuperset(keys)
        evicted += keys
        for changes in _steps(ledger):
            created.update(_key(one.created.data) for one in changes if one.created is not None)
    assert evicted
    assert len(set(evicted)) == len(evicted)


@pytest.mark.parametrize("name", ["modern", "backfilled"])
def test_events_explain_every_balance(name: str, request: pytest.FixtureRequest) -> None:
    """What an operation's events say was moved is what its entries gained and lost."""
    ledgers: list[Closed] = request.getfixturevalue(name)
    seen: Counter[str] = Counter()
    assets = _assets(ledgers)
    for ledger in ledgers:
        for one in ledger.transactions:
            for operation in one.meta.operations:
                told = _told(operation.events, assets, seen)
                assert _moved(operation.changes.ledger_entry_changes, told) == told
    assert set(_MOVES) <= set(seen)


def _assets(ledgers: list[Closed]) -> dict[str, bytes]:
    """Packed assets by the SEP-11 name that events carry."""
    from stellar_sdk import Asset

    names = {"native"}
    for ledger in ledgers:
        for one in ledger.transactions:
            for operation in one.meta.operations:
                names.update(filter(None, map(_asset_name, operation.events)))
    assets = (Asset(*name.split(":")) for name in names if name != "native")
    return {
        "native": Asset.native().to_xdr_object().to_xdr_bytes(),
        **{f"{one.code}:{one.issuer}": one.to_xdr_object().to_xdr_bytes() for one in assets},
    }


def _asset_name(event: xdr.ContractEvent) -> str | None:
    last = event.body.v0.topics[-1]
    if _kind(event) not in (*_MOVES, "set_authorized") or last.str is None:
        return None
    return last.str.sc_string.decode()


def _kind(event: xdr.ContractEvent) -> str:
    symbol = event.body.v0.topics[0].sym
    assert symbol is not None
    return symbol.sc_symbol.decode()


def _amount(event: xdr.ContractEvent) -> int:
    data = event.body.v0.data
    if data.map is not None:
        (data,) = [one.val for one in data.map.sc_map if one.key.sym.sc_symbol == b"amount"]
    return (data.i128.hi.int64 << 64) + data.i128.lo.uint64


def _told(
    events: list[xdr.ContractEvent], assets: dict[str, bytes], seen: Counter[str]
) -> Movements:
    """What events say was gained and lost, without what came to nothing."""
    moves: Movements = Counter()
    for event in events:
        name, kind = _asset_name(event), _kind(event)
        if name is None or kind == "set_authorized":
            continue
        seen[kind] += 1
        parties = [one.address.to_xdr_bytes() for one in event.body.v0.topics[1:-1]]
        losing = {"mint": None}.get(kind, parties[0])
        gaining = parties[-1] if kind in {"transfer", "mint"} else None
        if losing is not None:
            moves[losing, assets[name]] -= _amount(event)
        if gaining is not None:
            moves[gaining, assets[name]] += _amount(event)
    return Counter({key: stroops for key, stroops in moves.items() if stroops})


def _moved(changes: list[Any], told: Movements) -> Movements:
    """What entries gained and lost."""
    moves: Movements = Counter()
    states: dict[bytes, xdr.LedgerEntryData] = {}
    for change in changes:
        if change.state is not None:
            states[_key(change.state.data)] = change.state.data
        elif change.removed is not None:
            _count(moves, states[change.removed.to_xdr_bytes()], -1)
        else:
            after = (change.created or change.updated).data
            _count(moves, after, 1)
            before = states.get(_key(after))
            if before is not None:
                _count(moves, before, -1)
    return Counter({key: stroops for key, stroops in moves.items() if stroops})


def _count(moves: Movements, data: xdr.LedgerEntryData, sign: int) -> None:
    native = xdr.Asset(xdr.AssetType.ASSET_TYPE_NATIVE).to_xdr_bytes()
    if data.account is not None:
        moves[_account(data.account.account_id), native] += sign * data.account.balance.int64
    elif data.trust_line is not None and data.trust_line.asset.liquidity_pool_id is None:
        line = data.trust_line
        moves[_account(line.account_id), line.asset.to_xdr_bytes()] += sign * line.balance.int64
    elif data.claimable_balance is not None:
        kind = xdr.SCAddressType.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE
        balance = data.claimable_balance
        holder = xdr.SCAddress(kind, claimable_balance_id=balance.balance_id).to_xdr_bytes()
        moves[holder, balance.asset.to_xdr_bytes()] += sign * balance.amount.int64
    elif data.liquidity_pool is not None:
        _count_pool(moves, data.liquidity_pool, sign)
    elif data.contract_data is not None:
        _count_contract(moves, data.contract_data, sign)


def _count_pool(moves: Movements, pool: xdr.LiquidityPoolEntry, sign: int) -> None:
    kind, held = xdr.SCAddressType.SC_ADDRESS_TYPE_LIQUIDITY_POOL, pool.body.constant_product
    assert held is not None
    holder = xdr.SCAddress(kind, liquidity_pool_id=pool.liquidity_pool_id).to_xdr_bytes()
    moves[holder, held.params.asset_a.to_xdr_bytes()] += sign * held.reserve_a.int64
    moves[holder, held.params.asset_b.to_xdr_bytes()] += sign * held.reserve_b.int64


def _count_contract(moves: Movements, stored: xdr.ContractDataEntry, sign: int) -> None:
    """The balance that the asset contract keeps for another contract."""
    if stored.key.vec is None or stored.key.vec.sc_vec[0].sym.sc_symbol != b"Balance":
        return
    holder = stored.key.vec.sc_vec[1].address.to_xdr_bytes()
    (amount,) = [one.val for one in stored.val.map.sc_map if one.key.sym.sc_symbol == b"amount"]
    moves[holder, _USD[0]] += sign * amount.i128.lo.uint64


def _account(account_id: xdr.AccountID) -> bytes:
    kind = xdr.SCAddressType.SC_ADDRESS_TYPE_ACCOUNT
    return xdr.SCAddress(kind, account_id=account_id).to_xdr_bytes()


_USD: list[bytes] = []
