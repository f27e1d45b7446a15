"""Details of payments: direct, along a path, and account merges."""

from __future__ import annotations

from typing import Any

from ..amounts import decimal, units
from ..assets import read_asset
from .context import Context, Details, account_details, asset_details


def payment(body: Any, context: Context) -> Details:
    """What was paid, by whom and to whom."""
    return {
        **account_details(context.source, "from"),
        **account_details(body["destination"], "to"),
        "amount": units(body["amount"]),
        **asset_details(body["asset"]),
    }


def path_payment_strict_receive(body: Any, context: Context) -> Details:
    """A path payment of a fixed received amount; what was sent comes from the result."""
    success = context.success
    return {
        **_path_payment(body, context),
        "amount": units(body["dest_amount"]),
        "source_amount": decimal(0) if success is None else units(_sent(success)),
        "source_max": units(body["send_max"]),
    }


def path_payment_strict_send(body: Any, context: Context) -> Details:
    """A path payment of a fixed sent amount; what was received comes from the result."""
    success = context.success
    return {
        **_path_payment(body, context),
        "amount": decimal(0) if success is None else units(success["last"]["amount"]),
        "source_amount": units(body["send_amount"]),
        "destination_min": decimal(body["dest_min"]),
    }


def account_merge(body: Any, context: Context) -> Details:
    """Which account went into which."""
    return {**account_details(context.source, "account"), **account_details(body, "into")}


def _path_payment(body: Any, context: Context) -> Details:
    return {
        **account_details(context.source, "from"),
        **account_details(body["destination"], "to"),
        **asset_details(body["dest_asset"]),
        **asset_details(body["send_asset"], "source_"),
        "path": [_step(step) for step in body["path"]] or None,
    }


def _step(asset: Any) -> Details:
    kind, code, issuer = read_asset(asset)
    return {"asset_type": kind, "asset_code": code, "asset_issuer": issuer}


def _sent(success: Any) -> int:
    """Sum what the first offers of the path bought: the source pays in their asset."""
    claims = [next(iter(offer.values())) for offer in success["offers"]]
    if not claims:
        return int(success["last"]["amount"])
    sent = 0
    for claim in claims:
        if claim["asset_bought"] != claims[0]["asset_bought"]:
            break
        sent += int(claim["amount_bought"])
    return sent
