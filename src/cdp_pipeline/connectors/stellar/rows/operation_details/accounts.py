"""Details of operations on an account itself: creation, options, data, sequence, inflation."""

from __future__ import annotations

from typing import Any

from ..amounts import units
from ..scval import base64_text
from ..text import string_text
from .context import Context, Details, account_details

ACCOUNT_FLAGS = (
    (1, "auth_required"),
    (2, "auth_revocable"),
    (4, "auth_immutable"),
    (8, "auth_clawback_enabled"),
)
_NUMBERS = {
    "master_weight": "master_key_weight",
    "low_threshold": "low_threshold",
    "med_threshold": "med_threshold",
    "high_threshold": "high_threshold",
}


def create_account(body: Any, context: Context) -> Details:
    """Which account was created, by whom and with what."""
    return {
        **account_details(context.source, "funder"),
        "account": body["destination"],
        "starting_balance": units(body["starting_balance"]),
    }


def set_options(body: Any, _: Context) -> Details:
    """The options that were set; the others are left out."""
    details: Details = {}
    if body["inflation_dest"] is not None:
        details["inflation_dest"] = body["inflation_dest"]
    if body["set_flags"]:
        details |= flag_details(body["set_flags"], "set_", ACCOUNT_FLAGS)
    if body["clear_flags"]:
        details |= flag_details(body["clear_flags"], "clear_", ACCOUNT_FLAGS)
    numbers = {name: body[field] for field, name in _NUMBERS.items()}
    details |= {name: value for name, value in numbers.items() if value is not None}
    if body["home_domain"] is not None:
        details["home_domain"] = string_text(body["home_domain"])
    if body["signer"] is not None:
        details["signer_key"] = body["signer"]["key"]
        details["signer_weight"] = body["signer"]["weight"]
    return details


def manage_data(body: Any, _: Context) -> Details:
    """Name and base64 value of an entry; null deletes it."""
    value = body["data_value"]
    shown = None if value is None else base64_text(bytes.fromhex(value))
    return {"name": string_text(body["data_name"]), "value": shown}


def bump_sequence(body: Any, _: Context) -> Details:
    """The sequence number to go to, as text."""
    return {"bump_to": str(body["bump_to"])}


def inflation(_: Any, __: Context) -> Details:
    """Nothing: the operation has no fields."""
    return {}


def flag_details(flags: int, prefix: str, names: tuple[tuple[int, str], ...]) -> Details:
    """The set bits of a flag word, as numbers and as names, under a prefix."""
    held = [(bit, name) for bit, name in names if flags & bit]
    return {
        f"{prefix}flags": [bit for bit, _ in held],
        f"{prefix}flags_s": [name for _, name in held],
    }
