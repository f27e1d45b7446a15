"""Renders contract values (SCVal, in SEP-51 form) as the text `parameters_decoded` holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .text import camel, string_text

# The names stellar-etl gives the types of `parameters`; void types have none.
_TYPE_NAMES = {
    "bool": "B",
    "string": "Str",
    "symbol": "Sym",
    "contract_instance": "Instance",
    "ledger_key_nonce": "NonceKey",
}


def type_name(value: str | Mapping[str, Any]) -> str:
    """Return the name of a SEP-51 SCVal's type as `parameters` shows it."""
    if isinstance(value, str):
        return ""
    kind = next(iter(value))
    return _TYPE_NAMES.get(kind) or camel(kind)


def _vec(body: list[Any] | None) -> str:
    return "nil" if body is None else "[" + " ".join(map(render, body)) + "]"


def _map(body: list[Any] | None) -> str:
    if body is None:
        return "nil"
    return "[" + " ".join(f"{{{render(e['key'])} {render(e['val'])}}}" for e in body) + "]"


def _error(body: Mapping[str, Any]) -> str:
    kind, detail = next(iter(body.items()))
    shown = f"ScErrorCodeScec{camel(detail)}" if isinstance(detail, str) else detail
    return f"ScErrorTypeSce{camel(kind)}({shown})"


def _timepoint(body: str) -> str:
    try:
        moment = datetime.fromtimestamp(int(body), UTC)
    except (OverflowError, ValueError, OSError):
        return str(body)
    return moment.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def _instance(body: Mapping[str, Any]) -> str:
    executable = body["executable"]
    shown = "(StellarAssetContract)" if isinstance(executable, str) else executable["wasm"]
    return f"{shown}: {_map(body['storage'])}" if body["storage"] else shown


_RENDERERS: dict[str, Callable[[Any], str]] = {
    "bool": lambda body: "true" if body else "false",
    "string": string_text,
    "symbol": string_text,
    "vec": _vec,
    "map": _map,
    "error": _error,
    "timepoint": _timepoint,
    "contract_instance": _instance,
    "ledger_key_nonce": lambda body: f"{{{int(body['nonce']):X}}}",
}


def render(value: str | Mapping[str, Any]) -> str:
    """Return a SEP-51 SCVal as the text `parameters_decoded` holds."""
    if isinstance(value, str):
        return "(void)" if value == "void" else "(LedgerKeyContractInstance)"
    kind, body = next(iter(value.items()))
    renderer = _RENDERERS.get(kind)
    return renderer(body) if renderer else str(body)
