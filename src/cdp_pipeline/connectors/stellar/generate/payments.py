"""Operations that move assets from account to account: payments, path payments, creation, merge."""

from __future__ import annotations

from stellar_sdk import xdr

from .accounts import Account
from .assets import Asset
from .entries import Offer
from .events import asset_moved
from .market import LOT_STROOPS, OrderBook, pool_price, pool_proceeds, swap, take
from .packing import array, i64, tag
from .scene import Outcome, Scene, succeeded

_PAYMENT = xdr.OperationType.PAYMENT
_CREATE = xdr.OperationType.CREATE_ACCOUNT
_MERGE = xdr.OperationType.ACCOUNT_MERGE
_RECEIVE = xdr.OperationType.PATH_PAYMENT_STRICT_RECEIVE
_SEND = xdr.OperationType.PATH_PAYMENT_STRICT_SEND

_MOST_VISITORS = 64
_LEAST_SPENDABLE = 10**9


def payment(scene: Scene) -> Outcome:
    """Pay lumens or an issued asset; now and then to the issuer, which burns it."""
    dice, world = scene.dice, scene.world
    asset = world.native if dice.chance(0.5) else dice.pick(world.traded)
    amount = dice.amount()
    if scene.spendable(asset) < amount + _LEAST_SPENDABLE:
        return top_up(scene, asset)
    if asset.issuer is not None and dice.chance(0.05):
        return _pay(scene, asset, asset.issuer, amount)
    receivers = world.visitors if asset.issuer is None and world.visitors else world.traders
    return _pay(scene, asset, _other(scene, receivers), amount)


def issue(scene: Scene) -> Outcome:
    """The issuer pays a trader, which mints the asset."""
    return top_up(scene, scene.dice.pick(scene.world.traded))


def top_up(scene: Scene, asset: Asset) -> Outcome:
    """Pay the actor's own account from where the asset comes from: its issuer, or the root."""
    receiver = scene.actor
    scene.act_as(asset.issuer if asset.issuer is not None else scene.world.root)
    return _pay(scene, asset, receiver, scene.dice.amount(5))


def create_account(scene: Scene) -> Outcome:
    """Create a visitor; with enough of them about, one leaves instead."""
    if len(scene.world.visitors) >= _MOST_VISITORS:
        return merge_account(scene)
    balance = scene.dice.between(5, 500) * 10**7
    if scene.spendable(scene.world.native) < balance + _LEAST_SPENDABLE:
        return top_up(scene, scene.world.native)
    created = scene.world.new_visitor(balance, scene.ledger)
    scene.debit(scene.actor, scene.world.native, balance)
    scene.changes.create(created)
    scene.world.visitors.append(created)
    scene.emit(_native_moved(scene, created, balance))
    body = tag(_CREATE) + created.account_id + i64(balance)
    return Outcome(body, succeeded(_CREATE))


def merge_account(scene: Scene) -> Outcome:
    """A visitor leaves and gives what it has to the source; without visitors, one is created."""
    visitors = scene.world.visitors
    if not visitors:
        return create_account(scene)
    leaving = visitors.pop(scene.dice.below(len(visitors)))
    scene.act_as(leaving)
    balance = leaving.balance
    packed, muxed_id = scene.address(scene.source)
    scene.changes.remove(leaving)
    scene.move(scene.world.native, leaving, scene.source, balance, muxed_id)
    return Outcome(tag(_MERGE) + packed, succeeded(_MERGE, i64(balance)))


def path_payment_receive(scene: Scene) -> Outcome:
    """Deliver an exact amount, through offers or the pool, at most for a given one."""
    route = _route(scene)
    if route is None:
        return payment(scene)
    dearer = route.paid + route.paid // 50 + 1
    packed, last = _deliver(scene, route)
    path = array([asset.packed for asset in route.path])
    amounts = route.sent.packed + i64(dearer) + packed + route.got.packed + i64(route.received)
    return Outcome(tag(_RECEIVE) + amounts + path, succeeded(_RECEIVE, last))


def path_payment_send(scene: Scene) -> Outcome:
    """Spend an exact amount, through offers or the pool, and deliver at least a given one."""
    route = _route(scene)
    if route is None:
        return payment(scene)
    least = max(1, route.received - route.received // 50)
    packed, last = _deliver(scene, route)
    path = array([asset.packed for asset in route.path])
    amounts = route.sent.packed + i64(route.paid) + packed + route.got.packed + i64(least)
    return Outcome(tag(_SEND) + amounts + path, succeeded(_SEND, last))


class _Route:
    """How a path payment gets from one asset to another."""

    def __init__(self, sent: Asset, got: Asset, paid: int, received: int) -> None:
        self.sent, self.got, self.paid, self.received = sent, got, paid, received
        self.path: list[Asset] = []
        self.fills: list[tuple[OrderBook, Offer, int]] = []


def _route(scene: Scene) -> _Route | None:
    """One hop over the book, two hops over lumens, or the pool; None where nothing fits."""
    kind = scene.dice.below(4)
    route = _pool_route(scene) if kind == 0 else _book_route(scene, hops=2 if kind == 1 else 1)
    if route is None or scene.spendable(route.sent) < route.paid + _LEAST_SPENDABLE:
        return None
    return route


def _pool_route(scene: Scene) -> _Route:
    dice, pool = scene.dice, scene.world.pool
    a_in = dice.chance(0.5)
    sent, got = (pool.asset_a, pool.asset_b) if a_in else (pool.asset_b, pool.asset_a)
    received = pool_proceeds(pool, a_in=a_in, sold=dice.amount(3))
    # The least that buys this much: both kinds of path payment then agree on the amounts.
    return _Route(sent, got, pool_price(pool, a_in=a_in, bought=received), received)


def _book_route(scene: Scene, *, hops: int) -> _Route | None:
    world, dice = scene.world, scene.dice
    book = dice.pick(world.books)
    ask = _best(scene, book, asks=True)
    if hops == 1 or ask is None:
        return None if ask is None else _one_hop(scene, world.native, book, ask)
    first = dice.pick([other for other in world.books if other is not book])
    bid = _best(scene, first, asks=False)
    return None if bid is None else _two_hops(scene, (first, bid), (book, ask))


def _one_hop(scene: Scene, native: Asset, book: OrderBook, ask: Offer) -> _Route:
    lots = min(ask.lots, scene.dice.amount(3) // LOT_STROOPS)
    route = _Route(native, book.asset, lots * ask.price_n, lots * ask.price_d)
    route.fills.append((book, ask, lots))
    return route


def _two_hops(
    scene: Scene, first: tuple[OrderBook, Offer], second: tuple[OrderBook, Offer]
) -> _Route | None:
    """Asset to lumens to asset, in amounts that leave no lumens over."""
    (first_book, bid), (second_book, ask) = first, second
    most = min(bid.lots // ask.price_n, ask.lots // bid.price_d)
    if most == 0:
        return None
    unit = scene.dice.between(1, min(most, 200))
    bid_lots, ask_lots = ask.price_n * unit, bid.price_d * unit
    paid, received = bid_lots * bid.price_n, ask_lots * ask.price_d
    route = _Route(first_book.asset, second_book.asset, paid, received)
    route.path.append(scene.world.native)
    route.fills += ((first_book, bid, bid_lots), (second_book, ask, ask_lots))
    return route


def _best(scene: Scene, book: OrderBook, *, asks: bool) -> Offer | None:
    """The best offer of a side, unless it is the actor's own: nobody trades with themselves."""
    side = book.side(asks=asks)
    return side[0] if side and side[0].seller is not scene.actor else None


def _deliver(scene: Scene, route: _Route) -> tuple[bytes, bytes]:
    """Trade along the route and pay the destination: its address and the success payload."""
    receiver = _other(scene, scene.world.traders)
    packed, muxed_id = scene.address(receiver)
    atoms = [take(scene, book, offer, lots) for book, offer, lots in route.fills]
    if not atoms:
        pool = scene.world.pool
        a_in = route.sent is pool.asset_a
        atoms.append(swap(scene, pool, a_in=a_in, paid=route.paid, received=route.received))
    scene.move(route.got, scene.actor, receiver, route.received, muxed_id)
    last = receiver.account_id + route.got.packed + i64(route.received)
    return packed, array(atoms) + last


def _pay(scene: Scene, asset: Asset, receiver: Account, amount: int) -> Outcome:
    packed, muxed_id = scene.address(receiver)
    scene.move(asset, scene.actor, receiver, amount, muxed_id)
    body = tag(_PAYMENT) + packed + asset.packed + i64(amount)
    return Outcome(body, succeeded(_PAYMENT))


def _native_moved(scene: Scene, receiver: Account, amount: int) -> bytes:
    memo = scene.memo.value
    return asset_moved(scene.world.native, scene.actor.address, receiver.address, amount, memo)


def _other(scene: Scene, accounts: list[Account]) -> Account:
    chosen = scene.dice.pick(accounts)
    return chosen if chosen is not scene.actor else accounts[accounts.index(chosen) - 1]
