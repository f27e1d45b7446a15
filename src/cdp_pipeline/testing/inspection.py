"""What a plugin says of itself when it is asked: identity, protocol, features, schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.runtimes.native import described
from cdp_pipeline.testing.launchers import (
    AddressTarget,
    Launchers,
    ManifestTarget,
    ModuleTarget,
    NativeTarget,
    Target,
)
from cdpplugin import PluginMetadata
from cdpplugin.metadata import ResourceRequirements


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A plugin as it describes itself.

    Attributes:
        metadata: What it says of itself, completed by its manifest.
        runtime: How it is executed here.
        protocol: The version of the protocol or, for WebAssembly, of the ABI that it speaks; 0
            knows only GetMetadata and Process, None is a plugin without one.
        sdk: What it was built with, or empty.
        features: What it can do beyond `Process`; for WebAssembly, the functions it exports.
        serves_health: Whether it serves `grpc.health.v1`.
        differences: Where it contradicts its manifest.
    """

    metadata: PluginMetadata
    runtime: Literal["native", "grpc", "wasm"]
    protocol: int | None = None
    sdk: str = ""
    features: Sequence[str] = ()
    serves_health: bool = False
    differences: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, the metadata's fields at the top."""
        rest = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "metadata"
        }
        return {**metadata_fields(self.metadata), **rest, "features": list(self.features)}


def metadata_fields(metadata: PluginMetadata) -> dict[str, Any]:
    """Return *metadata* in plain JSON values."""
    held = {field.name: getattr(metadata, field.name) for field in fields(metadata)}
    return {name: _plain(value) for name, value in held.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, ResourceRequirements):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


async def inspect(target: Target, launchers: Launchers) -> Inspection:
    """Ask a plugin what it is; a local one is built where it is not, launched, and ended.

    Raises:
        CdpError: It cannot be built, launched or reached.
    """
    if isinstance(target, NativeTarget):
        return Inspection(metadata=described(target.create()), runtime="native")
    if isinstance(target, AddressTarget):
        return _of(*await launchers.first_contact(target.name))
    if isinstance(target, ModuleTarget):
        async with launchers.launch_module(target) as handle:
            return _of_guest(handle)
    if target.manifest.address:
        connection, metadata = await launchers.first_contact(target.manifest.address)
        return _with_manifest(connection, metadata, target.manifest)
    return await _launched(target, launchers)


async def _launched(target: ManifestTarget, launchers: Launchers) -> Inspection:
    async with launchers.launch(target.manifest) as handle:
        if target.manifest.chosen_runtime == "wasm":
            from cdp_pipeline.runtimes.declared import differences

            return _of_guest(handle, differences(handle.said.metadata, target.manifest.metadata()))
        connection = handle._life.current  # its handle tells only what the contract knows
        return _with_manifest(connection, connection.metadata, target.manifest)


def _with_manifest(connection: Any, said: PluginMetadata, manifest: Manifest) -> Inspection:
    from cdp_pipeline.runtimes.declared import completed, differences

    written = manifest.metadata()
    return _of(connection, completed(said, written), differences(said, written))


def _of_guest(handle: Any, told: Sequence[str] = ()) -> Inspection:
    return Inspection(
        metadata=handle.metadata(),
        runtime="wasm",
        protocol=handle.said.abi,
        sdk=handle.said.sdk,
        features=sorted(handle.exports),
        differences=told,
    )


def _of(connection: Any, metadata: PluginMetadata, told: Sequence[str] = ()) -> Inspection:
    return Inspection(
        metadata=metadata,
        runtime="grpc",
        protocol=connection.protocol,
        sdk=connection.sdk,
        features=[_feature_name(number) for number in sorted(connection.features)],
        serves_health=connection.serves_health,
        differences=told,
    )


def _feature_name(number: int) -> str:
    from cdpplugin.v1 import plugin_pb2 as pb

    if number not in pb.Feature.values():
        return f"unknown ({number})"
    return pb.Feature.Name(pb.Feature.ValueType(number)).removeprefix("FEATURE_").lower()
