"""Values of the ancestor's options as they are written here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from cdp_pipeline.config.pipeline import NETWORKS
from cdp_pipeline.config.scalars import read_scalar
from cdp_pipeline.connectors.stellar.networks import network_of_passphrase

_DOLLAR = re.compile(r"\$(\{[A-Za-z_]\w*\}|[A-Za-z_]\w*|)")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME = 64
RELATIVE = "a relative path counts from this file's folder, not from where it is run"
_AGO = re.compile(r"(\d+)\s*([a-z]+?)s?(?:\s+(?:ago|back))?")
_UNITS = {
    "year": "y",
    "month": "mo",
    "week": "w",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "m": "min",
    "second": "s",
    "sec": "s",
}


def translated(value: Any) -> Any:
    """Return *value* with `$NAME` and `${NAME}` as `${NAME}`, and any other `$` as `$$`."""
    if isinstance(value, str):
        return _DOLLAR.sub(_variable, value)
    if isinstance(value, list):
        return [translated(item) for item in value]
    if isinstance(value, Mapping):
        return {key: translated(item) for key, item in value.items()}
    return value


def _variable(found: re.Match[str]) -> str:
    name = found[1].strip("{}")
    return "${" + name + "}" if name else "$$"


def is_relative(place: str) -> bool:
    """Tell whether *place* is a path whose meaning depends on a folder."""
    return "://" not in place and not place.startswith(("/", "~", "$"))


def number(value: Any) -> Any:
    """Return text that is a number as that number; anything else as it is."""
    read = read_scalar(value) if isinstance(value, str) else value
    return read if isinstance(read, (int, float)) and not isinstance(read, bool) else value


def in_condition(value: Any) -> str:
    """Return *value* as a constant of CEL; a variable of the environment stays one."""
    if isinstance(value, list):
        return "[" + ", ".join(map(in_condition, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def number_in_condition(value: Any) -> str:
    """Return an amount as a number of CEL: one written with a point, as amounts are."""
    read = number(value)
    return repr(float(read)) if isinstance(read, (int, float)) else str(read)


def asset_condition(text: str) -> str:
    """Return what tells the asset `native`, `CODE:ISSUER` or `CODE` in an operation's details."""
    if text in ("native", "XLM"):
        return 'payload.details.asset_type == "native"'
    code, _, issuer = text.partition(":")
    condition = f"payload.details.asset_code == {in_condition(code)}"
    if issuer:
        condition += f" && payload.details.asset_issuer == {in_condition(issuer)}"
    return condition


def moment(value: Any) -> Any:
    """Return a point in time as it is written here: `6m` is six minutes there, `6min` here."""
    text = str(value).strip().lower()
    found = _AGO.fullmatch(text)
    if found is None:
        return {"now": "latest"}.get(text, value)
    return found[1] + _UNITS.get(found[2], found[2])


def network_name(text: str) -> str:
    """Return a network's name, given that or its passphrase; a passphrase that has none stays."""
    if text.lower() in NETWORKS:
        return {"mainnet": "pubnet", "public": "pubnet"}.get(text.lower(), text.lower())
    network = network_of_passphrase(text)
    return text if network.name.startswith("custom-") else network.name


def pipeline_name(text: str) -> str:
    """Return *text* as a pipeline may be named."""
    return _NOT_IN_A_NAME.sub("-", text).strip("._-")[:_MOST_NAME] or "pipeline"
