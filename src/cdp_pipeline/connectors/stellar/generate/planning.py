"""Decides what a ledger's transactions will be, before any of them is applied.

Fees are taken from all transactions of a ledger before the first is applied, so who pays how much
must be known by then; what the operations say is decided when they are applied.
"""

from __future__ import annotations

from dataclasses import dataclass

from stellar_sdk import xdr

from .accounts import Account
from .dice import Dice
from .failures import FAILURES, harmless
from .operations import OPERATIONS, ApplyOperation, weighted
from .packing import opaque, tag, u64
from .scene import Memo
from .spec import LakeSpec
from .values import octets, string, value_u64
from .world import World

BASE_FEE = 100
"""Stroops for an operation."""

_NO_MEMO = Memo(tag(xdr.MemoType.MEMO_NONE), None)
_TEXTS = (b"invoice 2024-118", b"rent", b"thanks!", "caf\u00e9".encode(), b"order/7", b"")
_LEAST_SPENDABLE = 10**9


@dataclass(slots=True)
class ResourceFees:
    """Stroops of a Soroban transaction beyond its inclusion fee.

    Attributes:
        declared: Taken before the transaction is applied.
        not_refundable: Kept whatever happens.
        refundable: Kept if it succeeds; the rest of `declared` is paid back.
        rent: Part of `refundable`.
    """

    declared: int
    not_refundable: int
    refundable: int
    rent: int

    @property
    def charged(self) -> int:
        """What is kept in the end."""
        return self.not_refundable + self.refundable


@dataclass(slots=True)
class Plan:
    """A transaction to be applied.

    Attributes:
        bid: Stroops offered for an operation; what is taken is `BASE_FEE`.
        steps: One for each classic operation; none for a contract call.
        payer: Who pays the fee in the source's place (a fee bump); None without one.
        resources: Of a contract call; None for a classic transaction.
    """

    source: Account
    memo: Memo
    bid: int
    fails: bool
    steps: list[ApplyOperation]
    payer: Account | None = None
    resources: ResourceFees | None = None

    @property
    def fee_account(self) -> Account:
        """Who pays."""
        return self.payer if self.payer is not None else self.source

    @property
    def operation_count(self) -> int:
        """Operations in the transaction; a contract call stands alone."""
        return 1 if self.resources is not None else len(self.steps)

    @property
    def inclusion_fee(self) -> int:
        """Stroops taken for being in the ledger; a fee bump counts as one operation more."""
        return BASE_FEE * (self.operation_count + (self.payer is not None))

    @property
    def fee_taken(self) -> int:
        """Stroops taken before anything is applied."""
        return self.inclusion_fee + (self.resources.declared if self.resources else 0)


def plan_ledger(spec: LakeSpec, world: World, dice: Dice) -> list[Plan]:
    """The transactions of the next ledger in apply order: classic ones first."""
    if spec.transactions_per_ledger == 0 or dice.chance(spec.empty_ratio):
        return []
    mean = spec.transactions_per_ledger
    count = dice.between(mean - mean // 2, mean + mean // 2)
    plans = [_plan(spec, world, dice) for _ in range(count)]
    return sorted(plans, key=lambda plan: plan.resources is not None)


def _plan(spec: LakeSpec, world: World, dice: Dice) -> Plan:
    source, bid = _solvent(world, dice), BASE_FEE * dice.pick((1, 1, 1, 2, 10, 100, 1000))
    fails = dice.chance(spec.failed_ratio)
    if dice.chance(spec.soroban_ratio):
        plan = Plan(source, _NO_MEMO, bid, fails, [], resources=_resource_fees(dice, fails=fails))
    else:
        plan = Plan(source, _memo(dice), bid, fails, _steps(dice, fails=fails))
    if dice.chance(spec.fee_bump_ratio):
        payer = _solvent(world, dice)
        plan.payer = payer if payer is not source else None
    return plan


def _steps(dice: Dice, *, fails: bool) -> list[ApplyOperation]:
    if fails:
        return [harmless] * (dice.below(5) // 4) + [dice.pick(FAILURES)]
    count = 1 if dice.chance(0.75) else dice.between(2, 5)
    return [weighted(dice, OPERATIONS) for _ in range(count)]


def _solvent(world: World, dice: Dice) -> Account:
    """A trader that can pay any fee."""
    chosen = dice.pick(world.traders)
    if chosen.spendable > _LEAST_SPENDABLE:
        return chosen
    return max(world.traders, key=lambda trader: trader.spendable)


def _resource_fees(dice: Dice, *, fails: bool) -> ResourceFees:
    kept = dice.between(20_000, 400_000)
    most = dice.between(5_000, 200_000)
    refundable = 0 if fails else dice.between(1_000, most)
    return ResourceFees(kept + most, kept, refundable, refundable * 3 // 4)


def _memo(dice: Dice) -> Memo:
    """A memo of any kind; an event shows both kinds of hash alike."""
    kind = dice.below(10)
    if kind == 0:
        text = dice.pick(_TEXTS)
        return Memo(tag(xdr.MemoType.MEMO_TEXT) + opaque(text), string(text))
    if kind == 1:
        number = dice.below(1 << 48)
        return Memo(tag(xdr.MemoType.MEMO_ID) + u64(number), value_u64(number))
    if kind <= 3:
        value = dice.octets(32)
        arms = xdr.MemoType.MEMO_HASH, xdr.MemoType.MEMO_RETURN
        return Memo(tag(arms[kind - 2]) + value, octets(value))
    return _NO_MEMO
