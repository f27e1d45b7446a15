"""Says which classic operations happen, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from .dice import Dice
from .issuing import allow_trust, clawback, give_out, set_trust_line_flags
from .payments import (
    create_account,
    issue,
    merge_account,
    path_payment_receive,
    path_payment_send,
    payment,
)
from .reserves import claim_claimable_balance, create_claimable_balance, deposit, withdraw
from .scene import Outcome, Scene
from .settings import bump_sequence, change_trust, manage_data, set_options
from .trades import buy_offer, passive_offer, sell_offer

T = TypeVar("T")

ApplyOperation = Callable[[Scene], Outcome]

OPERATIONS: tuple[tuple[ApplyOperation, int], ...] = (
    (payment, 34),
    (issue, 3),
    (create_account, 4),
    (merge_account, 2),
    (path_payment_receive, 6),
    (path_payment_send, 6),
    (sell_offer, 12),
    (buy_offer, 7),
    (passive_offer, 1),
    (set_options, 2),
    (change_trust, 4),
    (bump_sequence, 1),
    (manage_data, 4),
    (create_claimable_balance, 4),
    (claim_claimable_balance, 3),
    (deposit, 1),
    (withdraw, 1),
    (set_trust_line_flags, 1),
    (allow_trust, 1),
    (give_out, 2),
    (clawback, 2),
)


def weighted(dice: Dice, options: Sequence[tuple[T, int]]) -> T:
    """One of the options, as often as its weight says."""
    left = dice.below(sum(weight for _, weight in options))
    for option, weight in options:
        left -= weight
        if left < 0:
            return option
    raise AssertionError("the weights add up to their sum")
