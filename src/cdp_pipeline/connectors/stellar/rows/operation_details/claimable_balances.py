"""Details of claimable balances (CAP-23)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .. import strkey
from ..amounts import units
from ..assets import read_asset
from .context import Context, Details, account_details


def balance_details(address: str, name: str) -> Details:
    """A balance id as the hex of its XDR and as its B address; the latter holds a one-byte type."""
    payload = strkey.decode(address)
    return {name: f"{payload[0]:08x}{payload[1:].hex()}", f"{name}_strkey": address}


def create_claimable_balance(body: Any, _: Context) -> Details:
    """What was set aside, for whom and on what conditions."""
    return {
        "asset": read_asset(body["asset"]).canonical,
        "amount": units(body["amount"]),
        "claimants": [_claimant(claimant["claimant_type_v0"]) for claimant in body["claimants"]],
    }


def claim_claimable_balance(body: Any, context: Context) -> Details:
    """The balance and who claimed it."""
    return {
        **balance_details(body["balance_id"], "balance_id"),
        **account_details(context.source, "claimant"),
    }


def clawback_claimable_balance(body: Any, _: Context) -> Details:
    """The balance the issuer took back."""
    return balance_details(body["balance_id"], "balance_id")


def _claimant(claimant: Any) -> Details:
    return {
        "destination": claimant["destination"],
        "predicate": _predicate(claimant["predicate"]),
    }


def _predicate(predicate: Any) -> Details:
    if isinstance(predicate, str):
        return {"unconditional": True}
    kind, body = next(iter(predicate.items()))
    if kind in ("and", "or"):
        return {kind: [_predicate(each) for each in body]}
    if kind == "not":
        return {"not": None if body is None else _predicate(body)}
    if kind == "before_relative_time":
        return {"rel_before": body}
    return {"abs_before": _moment(int(body)), "abs_before_epoch": body}


def _moment(seconds: int) -> str | None:
    """RFC 3339 time in UTC; None beyond the year 9999, where only the epoch form is exact."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None
