"""Operations that set assets aside: claimable balances and shares of the liquidity pool."""

from __future__ import annotations

from stellar_sdk import xdr

from .accounts import Account, TrustLine
from .entries import ClaimableBalance
from .events import asset_moved
from .packing import PRESENT, array, i32, i64, sha256, tag, u32
from .payments import top_up
from .scene import Outcome, Scene, succeeded
from .values import claimable_balance_address, pool_address
from .world import POOL_SHARE

_CREATE = xdr.OperationType.CREATE_CLAIMABLE_BALANCE
_CLAIM = xdr.OperationType.CLAIM_CLAIMABLE_BALANCE
_DEPOSIT = xdr.OperationType.LIQUIDITY_POOL_DEPOSIT
_WITHDRAW = xdr.OperationType.LIQUIDITY_POOL_WITHDRAW

_CLAIMANT = tag(xdr.ClaimantType.CLAIMANT_TYPE_V0)
_ALWAYS = tag(xdr.ClaimPredicateType.CLAIM_PREDICATE_UNCONDITIONAL)
_NOT = tag(xdr.ClaimPredicateType.CLAIM_PREDICATE_NOT) + PRESENT
_BEFORE = tag(xdr.ClaimPredicateType.CLAIM_PREDICATE_BEFORE_ABSOLUTE_TIME)
_WITHIN = tag(xdr.ClaimPredicateType.CLAIM_PREDICATE_BEFORE_RELATIVE_TIME)
_OPERATION_ID = tag(xdr.EnvelopeType.ENVELOPE_TYPE_OP_ID)
_BALANCE_V0 = tag(xdr.ClaimableBalanceIDType.CLAIMABLE_BALANCE_ID_TYPE_V0)

_MOST_CLAIMABLE = 100
_WIDEST_PRICES = i32(1) + i32(1000) + i32(1000) + i32(1)


def create_claimable_balance(scene: Scene) -> Outcome:
    """Set an amount aside for another trader; with enough of them about, claim one."""
    world, dice = scene.world, scene.dice
    asset = world.native if dice.chance(0.4) else dice.pick(world.traded)
    amount = dice.amount(3)
    if scene.spendable(asset) < amount + 10**9:
        return top_up(scene, asset)
    if len(world.claimable) >= _MOST_CLAIMABLE:
        return claim_claimable_balance(scene)
    claimant = dice.pick(world.traders)
    claimants = _claimants(scene, claimant)
    balance_id = _BALANCE_V0 + _operation_id(scene)
    entry = ClaimableBalance(balance_id, scene.actor, claimant, claimants, asset, amount)
    scene.changes.create(entry)
    scene.changes.touch(scene.actor)
    scene.actor.sponsoring += len(claimants)
    scene.debit(scene.actor, asset, amount)
    world.claimable.append(entry)
    address = claimable_balance_address(balance_id)
    scene.emit(asset_moved(asset, scene.actor.address, address, amount))
    body = tag(_CREATE) + asset.packed + i64(amount) + array(claimants)
    return Outcome(body, succeeded(_CREATE, balance_id))


def claim_claimable_balance(scene: Scene) -> Outcome:
    """A claimant takes what was set aside; without any, something is."""
    if not scene.world.claimable:
        return create_claimable_balance(scene)
    entry = scene.world.claimable.pop(scene.dice.below(len(scene.world.claimable)))
    scene.act_as(entry.claimant)
    scene.changes.touch(entry.sponsor)
    entry.sponsor.sponsoring -= len(entry.claimants)
    scene.credit(scene.actor, entry.asset, entry.amount)
    scene.changes.remove(entry)
    sender, receiver = claimable_balance_address(entry.balance_id), scene.actor.address
    muxed_id = scene.memo.value
    scene.emit(asset_moved(entry.asset, sender, receiver, entry.amount, muxed_id))
    return Outcome(tag(_CLAIM) + entry.balance_id, succeeded(_CLAIM))


def _claimants(scene: Scene, first: Account) -> list[bytes]:
    """One who can always claim; sometimes a second, within a time or only after one."""
    claimants = [_CLAIMANT + first.account_id + _ALWAYS]
    second = scene.dice.pick(scene.world.traders)
    if second is not first and scene.dice.chance(0.4):
        time_s = scene.dice.between(3_600, 864_000)
        predicates = (
            _WITHIN + i64(time_s),
            _BEFORE + i64(scene.close_time + time_s),
            _NOT + _BEFORE + i64(scene.close_time + time_s),
        )
        claimants.append(_CLAIMANT + second.account_id + scene.dice.pick(predicates))
    return claimants


def _operation_id(scene: Scene) -> bytes:
    """Sha256 of `HashIDPreimage`: the transaction's source, its sequence and the place in it."""
    source = scene.source.account_id
    return sha256(_OPERATION_ID + source + i64(scene.sequence) + u32(scene.index))


def deposit(scene: Scene) -> Outcome:
    """Put both assets into the pool, in its proportion, for shares of it."""
    pool, line = scene.world.pool, _share_line(scene)
    most = scene.dice.amount(3)
    shares = min(pool.shares * most // reserve for reserve in (pool.reserve_a, pool.reserve_b))
    amount_a = -(-shares * pool.reserve_a // pool.shares)
    amount_b = -(-shares * pool.reserve_b // pool.shares)
    _move_both(scene, line, shares, amount_a, amount_b)
    body = tag(_DEPOSIT) + pool.pool_id + i64(most) + i64(most) + _WIDEST_PRICES
    return Outcome(body, succeeded(_DEPOSIT))


def withdraw(scene: Scene) -> Outcome:
    """Give shares back for both assets; without shares, get some first."""
    pool, line = scene.world.pool, _share_line(scene)
    if line.balance < 10**8:
        return deposit(scene)
    shares = scene.dice.between(10**6, line.balance // 4)
    amount_a = shares * pool.reserve_a // pool.shares
    amount_b = shares * pool.reserve_b // pool.shares
    _move_both(scene, line, -shares, -amount_a, -amount_b)
    least = i64(amount_a - amount_a // 100) + i64(amount_b - amount_b // 100)
    return Outcome(tag(_WITHDRAW) + pool.pool_id + i64(shares) + least, succeeded(_WITHDRAW))


def _share_line(scene: Scene) -> TrustLine:
    """The shares of one who trusts the pool; the scene goes on as that account."""
    packed = POOL_SHARE + scene.world.pool.pool_id
    if packed not in scene.actor.lines:
        holders = [trader for trader in scene.world.traders if packed in trader.lines]
        scene.act_as(scene.dice.pick(holders))
    return scene.actor.lines[packed]


def _move_both(scene: Scene, line: TrustLine, shares: int, amount_a: int, amount_b: int) -> None:
    """Move both assets into the pool and shares out of it; negative amounts the other way."""
    pool, account = scene.world.pool, scene.actor
    scene.changes.touch(pool)
    pool.reserve_a += amount_a
    pool.reserve_b += amount_b
    pool.shares += shares
    scene.changes.touch(line)
    line.balance += shares
    address = pool_address(pool.pool_id)
    for asset, amount in ((pool.asset_a, amount_a), (pool.asset_b, amount_b)):
        scene.debit(account, asset, amount)
        if amount > 0:
            scene.emit(asset_moved(asset, account.address, address, amount))
        else:
            scene.emit(asset_moved(asset, address, account.address, -amount, scene.memo.value))
