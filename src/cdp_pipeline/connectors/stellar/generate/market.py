"""Keeps the offers on each asset against the native one, best price first.

Sell offers of an asset ask above its rate and buy offers bid below, so that resting offers never
cross; a trade takes the best offer of a side at that offer's own price.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from stellar_sdk import xdr

from .entries import POOL_FEE_BASIS_POINTS, LiquidityPool, Offer
from .events import asset_moved
from .packing import i64, tag
from .values import pool_address

if TYPE_CHECKING:
    from .assets import Asset
    from .scene import Scene

LOT_STROOPS = 100
"""Stroops of the issued asset in a lot; prices are native stroops for a lot."""

_ORDER_BOOK = tag(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_ORDER_BOOK)
_POOL = tag(xdr.ClaimAtomType.CLAIM_ATOM_TYPE_LIQUIDITY_POOL)
_BASIS_POINTS = 10_000


class OrderBook:
    """The resting offers on one issued asset.

    Attributes:
        rate: Native stroops for a lot, between the best bid and the best ask.
        asks, bids: Offers that sell the asset, and that buy it; the best is first.
    """

    __slots__ = ("asks", "asset", "bids", "rate")

    def __init__(self, asset: Asset, rate: int) -> None:
        self.asset = asset
        self.rate = rate
        self.asks: list[Offer] = []
        self.bids: list[Offer] = []

    def side(self, *, asks: bool) -> list[Offer]:
        """One side of the book."""
        return self.asks if asks else self.bids

    def add(self, offer: Offer) -> None:
        """Put an offer in its place."""
        if offer.selling is self.asset:
            insort(self.asks, offer, key=lambda other: (other.price_n, other.offer_id))
        else:
            insort(self.bids, offer, key=lambda other: (-other.price_d, other.offer_id))

    def discard(self, offer: Offer) -> None:
        """Take an offer out."""
        self.side(asks=offer.selling is self.asset).remove(offer)


def reserve_liabilities(scene: Scene, offer: Offer, sign: int) -> None:
    """Set aside what an offer sells and promise what it buys; with sign -1 release both."""
    selling = scene.holding(offer.seller, offer.selling)
    buying = scene.holding(offer.seller, offer.buying)
    if selling is not None:
        selling.selling += sign * offer.amount
    if buying is not None:
        buying.buying += sign * offer.cost


def withdraw_offer(scene: Scene, book: OrderBook, offer: Offer) -> None:
    """Remove an offer and its sub-entry; its liabilities must be released already."""
    book.discard(offer)
    scene.changes.remove(offer)
    scene.changes.touch(offer.seller)
    offer.seller.sub_entries -= 1


def take(scene: Scene, book: OrderBook, offer: Offer, lots: int) -> bytes:
    """Let the actor of the scene buy lots of an offer; returns the packed `ClaimAtom`.

    Both sides of the trade are booked and both events emitted.
    """
    scene.changes.touch(offer)
    bought, sold = lots * offer.price_n, lots * offer.price_d
    for asset in (offer.selling, offer.buying):
        scene.touch_holding(offer.seller, asset)
    reserve_liabilities(scene, offer, -1)
    offer.lots -= lots
    reserve_liabilities(scene, offer, 1)
    scene.move(offer.buying, scene.actor, offer.seller, bought)
    scene.move(offer.selling, offer.seller, scene.actor, sold)
    if not offer.lots:
        withdraw_offer(scene, book, offer)
    sides = offer.selling.packed + i64(sold) + offer.buying.packed + i64(bought)
    return _ORDER_BOOK + offer.seller.account_id + i64(offer.offer_id) + sides


def pool_price(pool: LiquidityPool, *, a_in: bool, bought: int) -> int:
    """What the pool asks for an exact amount out, rounded up in its favour (CAP-38)."""
    reserve_in, reserve_out = _reserves(pool, a_in=a_in)
    kept = _BASIS_POINTS - POOL_FEE_BASIS_POINTS
    return -(-_BASIS_POINTS * reserve_in * bought // ((reserve_out - bought) * kept))


def pool_proceeds(pool: LiquidityPool, *, a_in: bool, sold: int) -> int:
    """What the pool pays for an exact amount in, rounded down in its favour (CAP-38)."""
    reserve_in, reserve_out = _reserves(pool, a_in=a_in)
    kept = _BASIS_POINTS - POOL_FEE_BASIS_POINTS
    return kept * sold * reserve_out // (_BASIS_POINTS * reserve_in + kept * sold)


def swap(scene: Scene, pool: LiquidityPool, *, a_in: bool, paid: int, received: int) -> bytes:
    """Let the actor of the scene trade with the pool; returns the packed `ClaimAtom`."""
    scene.changes.touch(pool)
    into, out = (pool.asset_a, pool.asset_b) if a_in else (pool.asset_b, pool.asset_a)
    pool.reserve_a += paid if a_in else -received
    pool.reserve_b += -received if a_in else paid
    scene.debit(scene.actor, into, paid)
    scene.credit(scene.actor, out, received)
    address = pool_address(pool.pool_id)
    scene.emit(asset_moved(into, scene.actor.address, address, paid))
    scene.emit(asset_moved(out, address, scene.actor.address, received))
    return _POOL + pool.pool_id + out.packed + i64(received) + into.packed + i64(paid)


def _reserves(pool: LiquidityPool, *, a_in: bool) -> tuple[int, int]:
    return (pool.reserve_a, pool.reserve_b) if a_in else (pool.reserve_b, pool.reserve_a)
