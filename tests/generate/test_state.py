"""Replays the entries that generated ledgers change."""

from __future__ import annotations

from stellar_sdk import xdr

from tests.generate.closed import Closed, entry_key, steps


def test_every_change_starts_from_the_state_before(every: list[Closed]) -> None:
    """Each STATE equals what the change before left; nothing is created twice or removed unseen."""
    known: dict[bytes, bytes | None] = {}
    for ledger in every:
        for changes in steps(ledger):
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
    key, packed = entry_key(entry.data), entry.to_xdr_bytes()
    if change.state is not None:
        assert known.get(key, packed) == packed
    elif change.created is not None:
        assert known.get(key) is None
    else:
        assert known.get(key) is not None
    known[key] = packed


def test_evicted_keys_were_created_before(modern: list[Closed]) -> None:
    """What is evicted is a temporary entry of an earlier ledger and its time to live."""
    created: set[bytes] = set()
    evicted: list[bytes] = []
    for ledger in modern:
        keys = [key.to_xdr_bytes() for key in ledger.meta.evicted_keys]
        assert created.issuperset(keys)
        evicted += keys
        for changes in steps(ledger):
            created.update(
                entry_key(one.created.data) for one in changes if one.created is not None
            )
    assert evicted
    assert len(set(evicted)) == len(evicted)
