"""What a guest says of itself, read from the JSON that it answers.

Source: `spec/wasm-abi.md`, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from cdp_pipeline.runtimes.wasm.answer import Status, error_of
from cdp_pipeline.runtimes.wasm.faults import StartRefused
from cdp_pipeline.runtimes.wasm.guest import Guest
from cdp_pipeline.runtimes.wasm.program import START_S
from cdpplugin import HealthStatus, PluginError, PluginMetadata, decode_json
from cdpplugin.metadata import Encoding, ResourceRequirements

ABI = 1
"""The version of the ABI that this host speaks."""
OLDEST_ABI = max(1, ABI - 2)

KINDS = ("processor", "consumer")
"""What a guest can be: it cannot wait, so it is no source."""

_TEXTS = ("description", "author", "license")
_LISTS = ("input_types", "output_types")
_OBJECTS = ("config_schema", "output_schema")
_NEEDS = ("min_memory_mb", "max_memory_mb", "cpu_shares")


@dataclass(frozen=True, slots=True)
class Said:
    """What a guest says of itself.

    Attributes:
        metadata: What the contract knows.
        abi: The version of the ABI it speaks.
        sdk: What it was built with, or empty.
    """

    metadata: PluginMetadata
    abi: int
    sdk: str


def ask(guest: Guest, reference: str) -> Said:
    """Return what *guest*, so far known as *reference*, says of itself.

    Raises:
        StartRefused: plugin.metadata_invalid or plugin.abi_unsupported.
        GuestFault: It did what it may not.
    """
    answer = guest.call("metadata", None, START_S)
    if answer.status != Status.OK:
        raise error_of(answer, "`metadata`")
    try:
        found = decode_json(answer.data)
    except PluginError as error:
        raise _invalid(reference, f"expected a JSON object, got something else: {error}") from error
    if not isinstance(found, dict):
        raise _invalid(reference, f"expected a JSON object, got `{answer.data[:40]!r}`")
    return _said(found, reference)


def _said(found: Mapping[str, Any], reference: str) -> Said:
    abi = _of(found, "abi", int, 1, reference)
    if not OLDEST_ABI <= abi <= ABI:
        raise StartRefused(
            f"plugin `{reference}` speaks version {abi} of the WebAssembly ABI, this host "
            f"{OLDEST_ABI} to {ABI}",
            code="plugin.abi_unsupported",
            hint="use a newer host" if abi > ABI else "build the plugin with a newer SDK",
        )
    needs = _of(found, "resources", dict, {}, reference)
    told: dict[str, Any] = {name: _of(found, name, str, "", reference) for name in _TEXTS}
    told |= {name: _names(found, name, reference) for name in _LISTS}
    told |= {name: _of(found, name, dict, {}, reference) for name in _OBJECTS}
    encoding = _of(found, "input_encoding", str, "json", reference)
    kind = _of(found, "type", str, "processor", reference)
    _require(
        kind in ("processor", "consumer"), "type", "`processor` or `consumer`", kind, reference
    )
    known = get_args(Encoding)
    _require(encoding in known, "input_encoding", " or ".join(known), encoding, reference)
    name = _of(found, "name", str, "", reference)
    _require(bool(name), "name", "a name", name, reference)
    metadata = PluginMetadata(
        name,
        _of(found, "version", str, "", reference),
        kind,
        **told,
        input_encoding=encoding,
        stateful=_of(found, "stateful", bool, False, reference),
        resources=ResourceRequirements(
            **{each: _of(needs, each, int, 0, reference) for each in _NEEDS},
            gpu_required=_of(needs, "gpu_required", bool, False, reference),
        ),
    )
    return Said(metadata, abi, _of(found, "sdk", str, "", reference))


def _of(found: Mapping[str, Any], name: str, kind: type, default: Any, reference: str) -> Any:
    """Return member *name*, or *default* where it is absent or null."""
    value = found.get(name)
    if value is None:
        return default
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    _require(fits, name, kind.__name__, value, reference)
    return value


def _names(found: Mapping[str, Any], name: str, reference: str) -> tuple[str, ...]:
    values = _of(found, name, list, [], reference)
    fits = all(isinstance(value, str) for value in values)
    _require(fits, name, "a list of texts", values, reference)
    return tuple(values)


def _require(fits: bool, name: str, expected: str, got: object, reference: str) -> None:
    if not fits:
        raise _invalid(reference, f"expected `{name}` to be {expected}, got `{got}`")


def _invalid(reference: str, message: str) -> StartRefused:
    return StartRefused(
        f"plugin `{reference}` does not say what it is: {message}",
        code="plugin.metadata_invalid",
        hint="see spec/wasm-abi.md, section 3",
    )


def decode_health(data: bytes) -> HealthStatus:
    """Return how a guest is; a status that does not exist is `unhealthy`.

    Raises:
        PayloadInvalid: It is no JSON.
    """
    found = decode_json(data) if data.strip() else {}
    if not isinstance(found, dict):
        return HealthStatus("unhealthy", f"it says `{data[:40]!r}`")
    status, message = found.get("status", "healthy"), found.get("message")
    details = found.get("details")
    text = message if isinstance(message, str) else ""
    facts = details if isinstance(details, dict) else {}
    if status in ("healthy", "degraded"):
        return HealthStatus(status, text, facts)
    return HealthStatus("unhealthy", text or f"status `{status}`", facts)
