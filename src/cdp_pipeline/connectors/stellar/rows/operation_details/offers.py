"""Details of offers on the order book."""

from __future__ import annotations

from typing import Any

from ..amounts import price, units
from .context import Context, Details, asset_details


def price_details(body: Any, prefix: str = "") -> Details:
    """A price as number and as fraction, under a prefix."""
    fraction = {"n": body["n"], "d": body["d"]}
    return {f"{prefix}price": price(body["n"], body["d"]), f"{prefix}price_r": fraction}


def manage_sell_offer(body: Any, context: Context) -> Details:
    """An offer to sell an amount; id 0 makes a new one."""
    return {"offer_id": int(body["offer_id"]), **create_passive_sell_offer(body, context)}


def manage_buy_offer(body: Any, _: Context) -> Details:
    """An offer to buy an amount; id 0 makes a new one."""
    return {"offer_id": int(body["offer_id"]), **_offer(body, body["buy_amount"])}


def create_passive_sell_offer(body: Any, _: Context) -> Details:
    """An offer that takes none of equal price."""
    return _offer(body, body["amount"])


def _offer(body: Any, amount: str) -> Details:
    return {
        "amount": units(amount),
        **price_details(body["price"]),
        **asset_details(body["buying"], "buying_"),
        **asset_details(body["selling"], "selling_"),
    }
