"""Operations on offers: put one up, change it, cancel it, take the best of the other side."""

from __future__ import annotations

from stellar_sdk import xdr

from .entries import Offer
from .market import LOT_STROOPS, OrderBook, reserve_liabilities, take, withdraw_offer
from .packing import EMPTY, array, i32, i64, tag
from .payments import top_up
from .scene import Outcome, Scene, succeeded

_SELL = xdr.OperationType.MANAGE_SELL_OFFER
_BUY = xdr.OperationType.MANAGE_BUY_OFFER
_PASSIVE = xdr.OperationType.CREATE_PASSIVE_SELL_OFFER
_CREATED = tag(xdr.ManageOfferEffect.MANAGE_OFFER_CREATED)
_UPDATED = tag(xdr.ManageOfferEffect.MANAGE_OFFER_UPDATED)
_DELETED = tag(xdr.ManageOfferEffect.MANAGE_OFFER_DELETED)

_MOST_OFFERS_A_SIDE = 40
_PASSIVE_FLAG = xdr.OfferEntryFlags.PASSIVE_FLAG.value


def sell_offer(scene: Scene) -> Outcome:
    """ManageSellOffer: rest, change, cancel or trade, whatever the book allows."""
    book = scene.dice.pick(scene.world.books)
    own = _own_offer(scene, book)
    if own is not None and scene.dice.chance(0.4):
        return _cancel(scene, book, own) if scene.dice.chance(0.5) else _resize(scene, own)
    asks = scene.dice.chance(0.5)
    if not _wants_to_trade(scene, book, asks=asks):
        return _rest(scene, book, _SELL)
    return _trade(scene, book, _SELL, asks=asks)


def buy_offer(scene: Scene) -> Outcome:
    """ManageBuyOffer: rest or trade."""
    book = scene.dice.pick(scene.world.books)
    asks = scene.dice.chance(0.5)
    if not _wants_to_trade(scene, book, asks=asks):
        return _rest(scene, book, _BUY)
    return _trade(scene, book, _BUY, asks=asks)


def passive_offer(scene: Scene) -> Outcome:
    """CreatePassiveSellOffer: rest without meeting offers of the same price."""
    return _rest(scene, scene.dice.pick(scene.world.books), _PASSIVE)


def _wants_to_trade(scene: Scene, book: OrderBook, *, asks: bool) -> bool:
    side = book.side(asks=asks)
    if not side or side[0].seller is scene.actor:
        return False
    return len(side) >= _MOST_OFFERS_A_SIDE or scene.dice.chance(0.45)


def _own_offer(scene: Scene, book: OrderBook) -> Offer | None:
    offers = (*book.asks, *book.bids)
    return next((offer for offer in offers if offer.seller is scene.actor), None)


def _rest(scene: Scene, book: OrderBook, kind: xdr.OperationType) -> Outcome:
    """Put up a new offer, at a price that meets nothing."""
    asks = len(book.asks) <= len(book.bids)
    offer = _new_offer(scene, book, asks=asks)
    if scene.spendable(offer.selling) < offer.amount + 10**9:
        return top_up(scene, offer.selling)
    offer.offer_id = scene.world.next_id()
    offer.flags = _PASSIVE_FLAG if kind is _PASSIVE else 0
    for asset in (offer.selling, offer.buying):
        scene.touch_holding(scene.actor, asset)
    scene.changes.touch(scene.actor)
    scene.actor.sub_entries += 1
    reserve_liabilities(scene, offer, 1)
    book.add(offer)
    scene.changes.create(offer)
    return _outcome(kind, offer, EMPTY + _CREATED + offer.body())


def _new_offer(scene: Scene, book: OrderBook, *, asks: bool) -> Offer:
    """An ask above or a bid below the rate of the book, without an id yet."""
    lots = scene.dice.amount(4) // LOT_STROOPS
    distance = scene.dice.between(1, book.rate // 12)
    native, asset, seller = scene.world.native, book.asset, scene.actor
    if asks:
        return Offer(0, seller, asset, native, lots, book.rate + distance, LOT_STROOPS)
    return Offer(0, seller, native, asset, lots, LOT_STROOPS, book.rate - distance)


def _outcome(kind: xdr.OperationType, offer: Offer, payload: bytes) -> Outcome:
    """The operation that would put up this offer as a new one, and its result."""
    assets = offer.selling.packed + offer.buying.packed
    if kind is _BUY:
        # A buy offer counts what it buys, and prices it in what it sells.
        terms = i64(offer.cost) + i32(offer.price_d) + i32(offer.price_n) + i64(0)
    else:
        terms = i64(offer.amount) + i32(offer.price_n) + i32(offer.price_d)
        terms += b"" if kind is _PASSIVE else i64(0)
    return Outcome(tag(kind) + assets + terms, succeeded(kind, payload))


def _trade(scene: Scene, book: OrderBook, kind: xdr.OperationType, *, asks: bool) -> Outcome:
    """Take part or all of the best offer of a side; nothing is left over to rest."""
    best = book.side(asks=asks)[0]
    lots = best.lots if scene.dice.chance(0.3) else scene.dice.between(1, best.lots)
    terms = Offer(0, scene.actor, best.buying, best.selling, lots, best.price_d, best.price_n)
    if scene.spendable(terms.selling) < terms.amount + 10**9:
        return top_up(scene, terms.selling)
    atom = take(scene, book, best, lots)
    return _outcome(kind, terms, array([atom]) + _DELETED)


def _resize(scene: Scene, offer: Offer) -> Outcome:
    """Halve an own offer."""
    scene.changes.touch(offer)
    for asset in (offer.selling, offer.buying):
        scene.touch_holding(scene.actor, asset)
    reserve_liabilities(scene, offer, -1)
    offer.lots = max(1, offer.lots // 2)
    reserve_liabilities(scene, offer, 1)
    result = succeeded(_SELL, EMPTY + _UPDATED + offer.body())
    return Outcome(_edit(offer, offer.amount), result)


def _cancel(scene: Scene, book: OrderBook, offer: Offer) -> Outcome:
    """Take an own offer back: an edit to the amount 0."""
    body = _edit(offer, 0)
    for asset in (offer.selling, offer.buying):
        scene.touch_holding(scene.actor, asset)
    scene.changes.touch(offer)
    reserve_liabilities(scene, offer, -1)
    withdraw_offer(scene, book, offer)
    return Outcome(body, succeeded(_SELL, EMPTY + _DELETED))


def _edit(offer: Offer, amount: int) -> bytes:
    assets = offer.selling.packed + offer.buying.packed
    price = i32(offer.price_n) + i32(offer.price_d)
    return tag(_SELL) + assets + i64(amount) + price + i64(offer.offer_id)
