"""Details of sponsored reserves (CAP-33), and the sponsor an operation gave to a new entry."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import model, strkey
from ..assets import read_asset
from ..text import string_text
from .claimable_balances import balance_details
from .context import Context, Details, EntryChange, account_details, operation_source

_body_decoder = msgspec.json.Decoder(dict[str, Any])


def begin_sponsoring_future_reserves(body: Any, _: Context) -> Details:
    """Whose reserves are sponsored from here on."""
    return {"sponsored_id": body["sponsored_id"]}


def end_sponsoring_future_reserves(_: Any, context: Context) -> Details:
    """Name who began; a failed transaction need not hold the pair of operations."""
    if not context.transaction.successful:
        return {}
    sponsored, _id = strkey.muxed_parts(context.source)
    body = context.transaction.body
    for index in range(context.index - 1, -1, -1):
        if _begins_for(body.operations[index], sponsored):
            return account_details(operation_source(body, index), "begin_sponsor")
    return {}


def _begins_for(operation: model.Operation, sponsored: str) -> bool:
    if isinstance(operation.body, str):
        return False
    raw = operation.body.get("begin_sponsoring_future_reserves")
    return raw is not None and _body_decoder.decode(raw)["sponsored_id"] == sponsored


def revoke_sponsorship(body: Any, _: Context) -> Details:
    """The entry or signer that is no longer sponsored."""
    if "signer" in body:
        signer = body["signer"]
        return {"signer_account_id": signer["account_id"], "signer_key": signer["signer_key"]}
    kind, key = next(iter(body["ledger_entry"].items()))
    return _key_details(kind, key)


def _key_details(kind: str, key: Any) -> Details:
    match kind:
        case "account":
            return {"account_id": key["account_id"]}
        case "claimable_balance":
            return balance_details(key["balance_id"], "claimable_balance_id")
        case "data":
            return {
                "data_account_id": key["account_id"],
                "data_name": string_text(key["data_name"]),
            }
        case "offer":
            return {"offer_id": int(key["offer_id"])}
        case "trustline":
            return {"trustline_account_id": key["account_id"], **_line_details(key["asset"])}
        case "liquidity_pool":
            return pool_details(key["liquidity_pool_id"])
    return {}


def _line_details(asset: Any) -> Details:
    if isinstance(asset, dict) and "pool_share" in asset:
        return pool_details(asset["pool_share"], "trustline_")
    return {"trustline_asset": read_asset(asset).canonical}


def pool_details(address: str, prefix: str = "") -> Details:
    """A pool id as hex and as its L address, under a prefix."""
    return {
        f"{prefix}liquidity_pool_id": strkey.decode(address).hex(),
        f"{prefix}liquidity_pool_id_strkey": address,
    }


def sponsor(details: Details, context: Context) -> str | None:
    """Return who sponsors the entry, or the signer, that the operation created."""
    signer = details.get("signer_key")
    if not context.mentions_sponsors and signer is None:
        return None
    for change in context.changes:
        found = signer and _new_signer_sponsor(change, signer)
        if not found and change.before is None and change.after is not None:
            found = _entry_sponsor(change.after)
        if found:
            return str(found)
    return None


def _entry_sponsor(entry: model.LedgerEntry) -> str | None:
    return None if isinstance(entry.ext, str) or not entry.ext.v1 else entry.ext.v1.sponsoring_id


def _new_signer_sponsor(change: EntryChange, signer: str) -> str | None:
    after = _signer_sponsors(change.after).get(signer)
    before = _signer_sponsors(change.before).get(signer)
    return after if after != before else None


def _signer_sponsors(entry: model.LedgerEntry | None) -> dict[str, str | None]:
    account = entry.data.account if entry is not None else None
    if account is None or isinstance(account.ext, str) or account.ext.v1 is None:
        return {}
    ext = account.ext.v1.ext
    if isinstance(ext, str) or ext.v2 is None:
        return {}
    keys = [each.key for each in account.signers]
    return dict(zip(keys, ext.v2.signer_sponsoring_i_ds, strict=False))
