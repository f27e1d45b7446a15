"""Details of deposits to and withdrawals from liquidity pools (CAP-38).

What was moved is in no result: it is the change of the pool's entry. Failed operations show the
native asset and zero amounts, as stellar-etl does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import model
from ..amounts import units
from ..assets import NATIVE, Asset, read_asset
from ..errors import LedgerUnreadable
from .context import Context, Details, EntryChange, asset_details
from .offers import price_details
from .sponsorship import pool_details


class _Moved(NamedTuple):
    """Assets of a pool and how its reserves and shares changed, in stroops."""

    asset_a: Asset = NATIVE
    asset_b: Asset = NATIVE
    reserve_a: int = 0
    reserve_b: int = 0
    shares: int = 0


def liquidity_pool_deposit(body: Any, context: Context) -> Details:
    """What was offered to a pool and what it took."""
    moved = _moved(body["liquidity_pool_id"], context)
    return {
        **pool_details(body["liquidity_pool_id"]),
        **asset_details(moved.asset_a, "reserve_a_"),
        "reserve_a_max_amount": units(body["max_amount_a"]),
        "reserve_a_deposit_amount": units(moved.reserve_a),
        **asset_details(moved.asset_b, "reserve_b_"),
        "reserve_b_max_amount": units(body["max_amount_b"]),
        "reserve_b_deposit_amount": units(moved.reserve_b),
        **price_details(body["min_price"], "min_"),
        **price_details(body["max_price"], "max_"),
        "shares_received": units(moved.shares),
    }


def liquidity_pool_withdraw(body: Any, context: Context) -> Details:
    """What was asked of a pool and what it gave."""
    moved = _moved(body["liquidity_pool_id"], context)
    return {
        **pool_details(body["liquidity_pool_id"]),
        **asset_details(moved.asset_a, "reserve_a_"),
        "reserve_a_min_amount": units(body["min_amount_a"]),
        "reserve_a_withdraw_amount": units(-moved.reserve_a),
        **asset_details(moved.asset_b, "reserve_b_"),
        "reserve_b_min_amount": units(body["min_amount_b"]),
        "reserve_b_withdraw_amount": units(-moved.reserve_b),
        "shares": units(body["amount"]),
    }


def _moved(pool: str, context: Context) -> _Moved:
    if not context.transaction.successful:
        return _Moved()
    for change in context.changes:
        before, after = _pool_body(change, pool)
        known = after or before
        if known is not None:
            return _difference(known.params, before, after)
    raise LedgerUnreadable(
        f"operation {context.index + 1} of transaction `{context.transaction.hash}` moved pool "
        f"`{pool}`, whose change is not in the meta"
    )


_Body = model.PoolBodyConstantProduct


def _pool_body(change: EntryChange, pool: str) -> tuple[_Body | None, _Body | None]:
    entries = (entry.data.liquidity_pool if entry else None for entry in change)
    before, after = (
        entry.body.liquidity_pool_constant_product
        if entry is not None and entry.liquidity_pool_id == pool
        else None
        for entry in entries
    )
    return before, after


def _difference(params: model.PoolParameters, before: _Body | None, after: _Body | None) -> _Moved:
    old, new = _amounts(before), _amounts(after)
    changes = (each - was for each, was in zip(new, old, strict=True))
    return _Moved(read_asset(params.asset_a), read_asset(params.asset_b), *changes)


def _amounts(body: _Body | None) -> tuple[int, int, int]:
    if body is None:
        return 0, 0, 0
    return int(body.reserve_a), int(body.reserve_b), int(body.total_pool_shares)
