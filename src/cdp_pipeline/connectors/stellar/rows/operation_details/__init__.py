"""The details of every operation type, by its SEP-51 name (protocol 27).

Each reader takes the operation's body and its context and returns the `details` object, with the
names stellar-etl uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import accounts, claimable_balances, liquidity_pools, offers, payments, soroban, trust
from . import sponsorship as reserves
from .context import Context, Details

Reader = Callable[[Any, Context], Details]

# In the order of the OperationType numbers, from 0.
READERS: Final[dict[str, Reader]] = {
    "create_account": accounts.create_account,
    "payment": payments.payment,
    "path_payment_strict_receive": payments.path_payment_strict_receive,
    "manage_sell_offer": offers.manage_sell_offer,
    "create_passive_sell_offer": offers.create_passive_sell_offer,
    "set_options": accounts.set_options,
    "change_trust": trust.change_trust,
    "allow_trust": trust.allow_trust,
    "account_merge": payments.account_merge,
    "inflation": accounts.inflation,
    "manage_data": accounts.manage_data,
    "bump_sequence": accounts.bump_sequence,
    "manage_buy_offer": offers.manage_buy_offer,
    "path_payment_strict_send": payments.path_payment_strict_send,
    "create_claimable_balance": claimable_balances.create_claimable_balance,
    "claim_claimable_balance": claimable_balances.claim_claimable_balance,
    "begin_sponsoring_future_reserves": reserves.begin_sponsoring_future_reserves,
    "end_sponsoring_future_reserves": reserves.end_sponsoring_future_reserves,
    "revoke_sponsorship": reserves.revoke_sponsorship,
    "clawback": trust.clawback,
    "clawback_claimable_balance": claimable_balances.clawback_claimable_balance,
    "set_trust_line_flags": trust.set_trust_line_flags,
    "liquidity_pool_deposit": liquidity_pools.liquidity_pool_deposit,
    "liquidity_pool_withdraw": liquidity_pools.liquidity_pool_withdraw,
    "invoke_host_function": soroban.invoke_host_function,
    "extend_footprint_ttl": soroban.extend_footprint_ttl,
    "restore_footprint": soroban.restore_footprint,
}
TYPE_NUMBERS: Final = {name: number for number, name in enumerate(READERS)}

__all__ = ["READERS", "TYPE_NUMBERS", "Context", "Details", "reserves", "soroban"]
