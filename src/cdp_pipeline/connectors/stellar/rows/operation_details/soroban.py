"""Details of Soroban operations: contract calls, deployments, and the life of ledger entries."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from .. import model
from ..amounts import decimal
from ..assets import read_asset
from ..errors import LedgerUnreadable
from ..events import operation_events, read_transfer
from ..scval import constructor_values, invocation_values
from ..scval_text import render, type_name
from .context import Context, Details

SPANS = ("LedgerFootprint", "LedgerKey", "InvokeContractArgs", "CreateContractArgsV2")

_function_decoder = msgspec.json.Decoder(model.InvokeHostFunction)
_value_decoder = msgspec.json.Decoder()
_BALANCE_TOPICS = ("transfer", "mint", "clawback", "burn")
_FUNCTION = "HostFunctionTypeHostFunctionType"


def invoke_host_function(raw: msgspec.Raw, context: Context) -> Details:
    """The function, its arguments, its footprint, and the asset balances it changed."""
    function = _function_decoder.decode(raw).host_function
    if function.invoke_contract is not None:
        return _invoke_contract(function.invoke_contract, context)
    if function.create_contract is not None:
        return {
            "function": f"{_FUNCTION}CreateContract",
            "type": "create_contract",
            **_footprint(context),
            **_preimage(function.create_contract),
        }
    if function.create_contract_v2 is not None:
        return _create_contract_v2(function.create_contract_v2, context)
    details = _footprint(context)
    del details["contract_id"]
    return {"function": f"{_FUNCTION}UploadContractWasm", "type": "upload_wasm", **details}


def extend_footprint_ttl(body: Any, context: Context) -> Details:
    """The footprint, and how many ledgers it is to live at least."""
    return {
        "type": "extend_footprint_ttl",
        "extend_to": body["extend_to"],
        **_footprint(context),
    }


def restore_footprint(_: Any, context: Context) -> Details:
    """The footprint brought back from the archive."""
    return {"type": "restore_footprint", **_footprint(context)}


def _invoke_contract(arguments: model.InvokeArguments, context: Context) -> Details:
    start, _ = _first_span("InvokeContractArgs", context)
    encoded = invocation_values(context.ledger.xdr, start)
    called: list[Any] = [
        {"address": arguments.contract_address},
        {"symbol": arguments.function_name},
    ]
    return {
        "function": f"{_FUNCTION}InvokeContract",
        "type": "invoke_contract",
        **_footprint(context),
        "contract_id": arguments.contract_address,
        **_parameters(encoded, [*called, *map(_value_decoder.decode, arguments.args)]),
        "asset_balance_changes": _balance_changes(context),
    }


def _create_contract_v2(arguments: model.CreateArguments, context: Context) -> Details:
    start, _ = _first_span("CreateContractArgsV2", context)
    encoded = constructor_values(context.ledger.xdr, start)
    decoded = [_value_decoder.decode(raw) for raw in arguments.constructor_args]
    return {
        "function": f"{_FUNCTION}CreateContractV2",
        "type": "create_contract_v2",
        **_footprint(context),
        **_parameters(encoded, decoded),
        **_preimage(arguments),
    }


def _parameters(encoded: list[str], decoded: list[Any]) -> Details:
    types = [type_name(value) for value in decoded]
    return {
        "parameters": _typed(types, encoded),
        "parameters_decoded": _typed(types, [render(value) for value in decoded]),
        "parameters_json": encoded,
        "parameters_json_decoded": decoded,
    }


def _typed(types: list[str], values: list[str]) -> list[dict[str, str]]:
    return [{"type": kind, "value": value} for kind, value in zip(types, values, strict=True)]


def _preimage(arguments: model.CreateArguments) -> Details:
    kind, raw = next(iter(arguments.contract_id_preimage.items()))
    body = _value_decoder.decode(raw)
    if kind == "asset":
        return {"from": "asset", "asset": read_asset(body).canonical}
    return {"from": "address", "address": body["address"]}


def _first_span(type_name: str, context: Context) -> tuple[int, int]:
    """The operation's own value comes before those of its authorization trees."""
    start, end = context.transaction.envelope_span
    spans = context.ledger.spans_within(type_name, start, end)
    if not spans:
        raise LedgerUnreadable(f"`{type_name}` of `{context.transaction.hash}` not found")
    return spans[0]


def _footprint(context: Context) -> Details:
    """Hashes of the footprint's keys, and the first contract and Wasm hash among them."""
    ext = context.transaction.body.ext
    if isinstance(ext, str) or ext.v1 is None:
        return {"ledger_key_hash": None, "contract_id": "", "contract_code_hash": ""}
    footprint = ext.v1.resources.footprint
    written, read = footprint.read_write, footprint.read_only
    return {
        "ledger_key_hash": _key_hashes(context) or None,
        "contract_id": _first(written + read, "contract_data", "contract", "C"),
        "contract_code_hash": _first(read + written, "contract_code", "hash", ""),
    }


def _first(keys: list[dict[str, msgspec.Raw]], kind: str, field: str, start: str) -> str:
    for key in keys:
        if kind in key:
            value: str = _value_decoder.decode(key[kind])[field]
            if value.startswith(start):
                return value
    return ""


def _key_hashes(context: Context) -> list[str]:
    start, end = _first_span("LedgerFootprint", context)
    xdr = context.ledger.xdr
    spans = context.ledger.spans_within("LedgerKey", start, end)
    return [hashlib.sha256(xdr[start:end]).hexdigest() for start, end in spans]


def _balance_changes(context: Context) -> list[Details]:
    """What the Stellar assets' own contracts moved during the operation."""
    network_id = context.ledger.network_id
    changes = []
    for operation, events in operation_events(context.transaction):
        if operation != context.index + 1:
            continue
        for event in events:
            transfer = read_transfer(event, network_id)
            if transfer and transfer.asset and transfer.topic in _BALANCE_TOPICS:
                changes.append(_balance_change(transfer))
    return changes


def _balance_change(transfer: Any) -> Details:
    asset = transfer.asset
    details = {
        "type": transfer.topic,
        "amount": decimal(transfer.amount),
        "asset_type": asset.type,
    }
    if asset.issuer:
        details |= {"asset_code": asset.code, "asset_issuer": asset.issuer}
    parties = {"from": transfer.sender, "to": transfer.receiver}
    return details | {name: party for name, party in parties.items() if party}
