"""Check a configuration against the part of JSON Schema that the reference plugins use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdpplugin import ConfigInvalid

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def schema(required: list[str] | None = None, **properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def checked(config: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return *config* with the defaults of *rules*.

    Raises:
        ConfigInvalid: It does not fit; the message names the key.
    """
    properties = rules["properties"]
    for name, value in config.items():
        if name not in properties:
            known = ", ".join(f"`{each}`" for each in properties)
            raise ConfigInvalid(f"unknown key `{name}`", hint=f"the keys are {known}")
        _check(name, value, properties[name])
    for name in rules["required"]:
        if name not in config:
            raise ConfigInvalid(f"`{name}` is missing", hint=f"set `{name}`")
    return {name: rule.get("default") for name, rule in properties.items()} | dict(config)


def _check(name: str, value: Any, rule: Mapping[str, Any]) -> None:
    named = rule.get("type", [])
    names = [named] if isinstance(named, str) else named
    kinds = tuple(kind for each in names for kind in _TYPES[each])
    fits = not kinds or (isinstance(value, kinds) and (type(value) is not bool or bool in kinds))
    if not fits or ("enum" in rule and value not in rule["enum"]):
        expected = " or ".join(map(str, rule.get("enum") or names))
        raise ConfigInvalid(
            f"expected `{name}` to be {expected}, got `{value!r}`", hint=f"change `{name}`"
        )
