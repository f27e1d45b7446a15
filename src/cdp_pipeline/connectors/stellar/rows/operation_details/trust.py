"""Details of trust lines: limits, authorization and clawback."""

from __future__ import annotations

from typing import Any

from .. import strkey
from ..amounts import units
from ..assets import code_asset, pool_id, read_asset
from .accounts import flag_details
from .context import Context, Details, account_details, asset_details

_AUTHORIZED, _MAINTAIN_LIABILITIES, _CLAWBACK = 1, 2, 4
TRUST_LINE_FLAGS = (
    (_AUTHORIZED, "authorized"),
    (_MAINTAIN_LIABILITIES, "authorized_to_maintain_liabilities"),
    (_CLAWBACK, "clawback_enabled"),
)


def change_trust(body: Any, context: Context) -> Details:
    """The line, whose it is, and its limit."""
    return {
        **_line(body["line"]),
        **account_details(context.source, "trustor"),
        "limit": units(body["limit"]),
    }


def allow_trust(body: Any, context: Context) -> Details:
    """Whom the issuer authorizes, and how far (replaced by set_trust_line_flags)."""
    issuer, _ = strkey.muxed_parts(context.source)
    flags = body["authorize"]
    details = {
        **asset_details(code_asset(body["asset"], issuer)),
        **account_details(context.source, "trustee"),
        "trustor": body["trustor"],
        "authorize": bool(flags & _AUTHORIZED),
    }
    if flags & _MAINTAIN_LIABILITIES:
        details["authorize_to_maintain_liabilities"] = True
    if flags & _CLAWBACK:
        details["clawback_enabled"] = True
    return details


def set_trust_line_flags(body: Any, _: Context) -> Details:
    """The flags set and cleared on a line."""
    details = {"trustor": body["trustor"], **asset_details(body["asset"])}
    if body["set_flags"]:
        details |= flag_details(body["set_flags"], "set_", TRUST_LINE_FLAGS)
    if body["clear_flags"]:
        details |= flag_details(body["clear_flags"], "clear_", TRUST_LINE_FLAGS)
    return details


def clawback(body: Any, _: Context) -> Details:
    """What the issuer took back, and from whom."""
    return {
        **asset_details(body["asset"]),
        **account_details(body["from"], "from"),
        "amount": units(body["amount"]),
    }


def _line(line: Any) -> Details:
    if isinstance(line, dict) and "pool_share" in line:
        identity = pool_id(line["pool_share"]["liquidity_pool_constant_product"])
        return {
            "asset_type": "liquidity_pool_shares",
            "liquidity_pool_id": identity.hex(),
            "liquidity_pool_id_strkey": strkey.encode(strkey.LIQUIDITY_POOL, identity),
        }
    asset = read_asset(line)
    trustee = {"trustee": asset.issuer} if asset.issuer else {"trustee": None}
    return {**asset_details(asset), **trustee}
