"""What an operation sees and does while it is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from stellar_sdk import xdr

from .accounts import Account, TrustLine
from .assets import Asset
from .changes import Changes
from .dice import Dice
from .events import asset_moved
from .packing import ABSENT, PRESENT, i32, tag, u32, u64
from .values import value_u64
from .world import World

_MUXED = tag(xdr.CryptoKeyType.KEY_TYPE_MUXED_ED25519)
_SUCCESS = u32(0)


class Memo(NamedTuple):
    """A memo, and the value that tells a receiver's sub-account in events (CAP-67)."""

    packed: bytes
    value: bytes | None


class Outcome(NamedTuple):
    """An applied operation: its packed body and the packed `tr` of its result."""

    body: bytes
    result: bytes


@dataclass(slots=True)
class Scene:
    """One operation being applied.

    Attributes:
        source: Source account of the transaction.
        actor: Account that the operation acts for; the source unless `act_as` was called.
        sequence: Sequence number of the transaction.
        index: Place of the operation in it, from 0.
    """

    world: World
    dice: Dice
    ledger: int
    close_time: int
    source: Account
    sequence: int
    index: int
    memo: Memo
    changes: Changes
    actor: Account = field(init=False)
    events: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.actor = self.source

    def act_as(self, account: Account) -> None:
        """Give the operation a source account of its own; it will have to sign."""
        self.actor = account

    def pack_source(self) -> bytes:
        """The optional source account of the operation."""
        return ABSENT if self.actor is self.source else PRESENT + self.actor.account_id

    def emit(self, event: bytes) -> None:
        """Add an event of the operation."""
        self.events.append(event)

    def holding(self, account: Account, asset: Asset) -> Account | TrustLine | None:
        """Where an account keeps an asset; None for its issuer, who has no balance of it."""
        if asset.issuer is None:
            return account
        return None if asset.issuer is account else account.lines[asset.packed]

    def spendable(self, asset: Asset) -> int:
        """Stroops of an asset that the actor can part with."""
        held = self.holding(self.actor, asset)
        return held.spendable if held is not None else 10**15

    def touch_holding(self, account: Account, asset: Asset) -> None:
        """Announce that a balance is about to change."""
        held = self.holding(account, asset)
        if held is not None:
            self.changes.touch(held)

    def credit(self, account: Account, asset: Asset, amount: int) -> None:
        """Add stroops to what an account holds of an asset."""
        held = self.holding(account, asset)
        if held is not None:
            self.changes.touch(held)
            held.balance += amount

    def debit(self, account: Account, asset: Asset, amount: int) -> None:
        """Take stroops from what an account holds of an asset."""
        self.credit(account, asset, -amount)

    def move(
        self,
        asset: Asset,
        sender: Account,
        receiver: Account,
        amount: int,
        muxed_id: bytes | None = None,
    ) -> None:
        """Move stroops from one account to another and say so in an event."""
        self.debit(sender, asset, amount)
        self.credit(receiver, asset, amount)
        self.emit(asset_moved(asset, sender.address, receiver.address, amount, muxed_id))

    def address(self, account: Account) -> tuple[bytes, bytes | None]:
        """A destination: its packed `MuxedAccount`, now and then muxed, and its event value."""
        if not self.dice.chance(0.12):
            return account.account_id, self.memo.value
        number = self.dice.below(1 << 40)
        return _MUXED + u64(number) + account.key_pair.public, value_u64(number)


def succeeded(kind: xdr.OperationType, payload: bytes = b"") -> bytes:
    """The result of an operation that succeeded."""
    return tag(kind) + _SUCCESS + payload


def refused(kind: xdr.OperationType, code: Enum) -> bytes:
    """The result of an operation that failed."""
    return tag(kind) + i32(code.value)
