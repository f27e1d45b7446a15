"""What a plugin says of itself, and what goes wrong, as JSON text."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from cdpplugin.errors import ConfigInvalid, Drop, Fatal, PluginError, Retry
from cdpplugin.function import as_plugin_error
from cdpplugin.json import decode_json, encode_json
from cdpplugin.metadata import HealthStatus, PluginMetadata

ABI = 1
"""The version of the ABI that this SDK speaks; see `spec/wasm-abi.md`."""

_INSTRUCTIONS = ((Retry, "retry"), (Drop, "drop"), (Fatal, "fatal"), (ConfigInvalid, "invalid"))


def metadata_text(metadata: PluginMetadata, sdk: str) -> str:
    """Return what a plugin says of itself."""
    told = {each.name: getattr(metadata, each.name) for each in fields(metadata)}
    told |= {name: list(told[name]) for name in ("input_types", "output_types")}
    told |= {"resources": asdict(metadata.resources), "sdk": sdk, "abi": ABI}
    return encode_json(told).decode()


def health_text(status: HealthStatus) -> str:
    """Return how a plugin is."""
    told = {"status": status.status, "message": status.message, "details": dict(status.details)}
    return encode_json(told).decode()


def error_text(error: BaseException) -> str:
    """Return *error*, whatever it is, as an error of the ABI."""
    return encode_json(error_facts(error)).decode()


def error_facts(error: BaseException) -> dict[str, Any]:
    """Return what the ABI says of *error*: its text, and what it instructs the host to do."""
    known = _known(error)
    told: dict[str, Any] = {
        name: _whole(getattr(known, name)) for name in ("code", "message", "hint")
    }
    for kind, instruction in _INSTRUCTIONS:
        if isinstance(known, kind):
            told["instruction"] = instruction
    if isinstance(known, Retry) and known.after_s is not None:
        told["retry_after_s"] = known.after_s
    return told


def _known(error: BaseException) -> PluginError:
    if isinstance(error, Exception):
        return as_plugin_error(error)
    return PluginError(f"{type(error).__name__}: {error}")


def _whole(text: str) -> str:
    """Return *text* without half characters, which cannot cross."""
    return str(text).encode(errors="replace").decode()


def object_of(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object that *text* holds.

    Raises:
        PluginError: It holds something else.
    """
    found = decode_json(text or "{}")
    if not isinstance(found, dict):
        raise ConfigInvalid(f"expected {what} to be a JSON object, got `{text[:40]}`")
    return found
