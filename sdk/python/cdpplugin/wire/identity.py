"""What a plugin says of itself, to and from the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from cdpplugin.delivery import Context, SourceDescription
from cdpplugin.errors import PluginError
from cdpplugin.metadata import (
    Encoding,
    HealthStatus,
    PluginKind,
    PluginMetadata,
    ResourceRequirements,
)
from cdpplugin.payloads import decode_json, encode_json
from cdpplugin.v1 import plugin_pb2 as pb
from cdpplugin.wire.structs import decode_struct, encode_struct

PROTOCOL = 1
"""The protocol version that this SDK speaks; see `spec/handshake.md`."""


class MetadataInvalid(PluginError):
    """What a plugin says of itself cannot be used."""

    code = "plugin.metadata_invalid"


def encode_metadata(
    metadata: PluginMetadata, features: Sequence[pb.Feature], sdk: str
) -> pb.MetadataResponse:
    """Return *metadata* as it crosses to another process."""
    needs = metadata.resources
    return pb.MetadataResponse(
        name=metadata.name,
        version=metadata.version,
        type=metadata.type,
        description=metadata.description,
        author=metadata.author,
        license=metadata.license,
        input_types=metadata.input_types,
        output_types=metadata.output_types,
        config_schema=_json(metadata.config_schema),
        output_schema={name: encode_json(s) for name, s in metadata.output_schema.items()},
        resources=pb.ResourceRequirements(
            min_memory_mb=needs.min_memory_mb,
            max_memory_mb=needs.max_memory_mb,
            cpu_shares=needs.cpu_shares,
            gpu_required=needs.gpu_required,
        ),
        input_encoding=metadata.input_encoding,
        stateful=metadata.stateful,
        protocol=PROTOCOL,
        features=features,
        sdk=sdk,
    )


def decode_metadata(message: pb.MetadataResponse) -> PluginMetadata:
    """Return what a plugin says of itself.

    Raises:
        MetadataInvalid: It has no name, or a type or an encoding that does not exist.
        PayloadInvalid: One of its schemas is not JSON.
    """
    if not message.name:
        raise MetadataInvalid("expected the plugin to say its name, got an empty one")
    encoding = message.input_encoding or "json"
    _check("type", message.type, get_args(PluginKind))
    _check("input_encoding", encoding, get_args(Encoding))
    needs = message.resources
    return PluginMetadata(
        message.name,
        message.version,
        cast(PluginKind, message.type),
        description=message.description,
        author=message.author,
        license=message.license,
        input_types=tuple(message.input_types),
        output_types=tuple(message.output_types),
        config_schema=_object("config_schema", message.config_schema),
        output_schema={n: _object(n, s) for n, s in message.output_schema.items()},
        input_encoding=cast(Encoding, encoding),
        stateful=message.stateful,
        resources=ResourceRequirements(
            min_memory_mb=needs.min_memory_mb,
            max_memory_mb=needs.max_memory_mb,
            cpu_shares=needs.cpu_shares,
            gpu_required=needs.gpu_required,
        ),
    )


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        expected = ", ".join(f"`{word}`" for word in known)
        raise MetadataInvalid(f"expected `{name}` to be one of {expected}, got `{value}`")


def _json(value: Mapping[str, Any]) -> bytes:
    return encode_json(value) if value else b""


def _object(name: str, text: bytes) -> Mapping[str, Any]:
    value = decode_json(text) if text else {}
    if not isinstance(value, dict):
        raise MetadataInvalid(f"expected the schema `{name}` to be a JSON object")
    return value


def encode_context(context: Context, imported_state: bytes = b"") -> pb.StartRequest:
    """Return what a plugin is told at its start."""
    return pb.StartRequest(
        pipeline=context.pipeline,
        stage=context.stage,
        network=context.network,
        schemas={name: encode_json(schema) for name, schema in context.schemas.items()},
        imported_state=imported_state,
    )


def decode_context(message: pb.StartRequest | pb.ForgetRequest) -> Context:
    """Return what a plugin is told at its start, or when it is to forget."""
    schemas = message.schemas if isinstance(message, pb.StartRequest) else {}
    return Context(
        message.pipeline,
        message.stage,
        message.network,
        {name: decode_json(schema) for name, schema in schemas.items()},
    )


def encode_description(description: SourceDescription) -> pb.SourceDescription:
    """Return what a source knows of its stream."""
    return pb.SourceDescription(
        identity=description.identity,
        network=description.network,
        unit=description.unit,
        first=description.first,
        last=description.last,
        start=description.start,
    )


def decode_description(message: pb.SourceDescription) -> SourceDescription:
    """Return what a source knows of its stream."""
    return SourceDescription(
        identity=message.identity,
        network=message.network,
        unit=message.unit or "rows",
        first=message.first if message.HasField("first") else None,
        last=message.last if message.HasField("last") else None,
        start=message.start,
    )


def encode_health(status: HealthStatus) -> pb.HealthResponse:
    """Return how a plugin is; details that a Struct cannot hold exactly are refused."""
    return pb.HealthResponse(
        status=status.status, message=status.message, details=encode_struct(status.details)
    )


def decode_health(message: pb.HealthResponse) -> HealthStatus:
    """Return how a plugin is; a status that does not exist is `unhealthy`."""
    details = decode_struct(message.details)
    if message.status == "healthy":
        return HealthStatus("healthy", message.message, details)
    if message.status == "degraded":
        return HealthStatus("degraded", message.message, details)
    return HealthStatus("unhealthy", message.message or f"status `{message.status}`", details)
