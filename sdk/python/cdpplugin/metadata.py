"""What a plugin says of itself: who it is, what it takes, what it gives, what it needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cdpplugin.errors import PluginError

_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")

PluginKind = Literal["source", "processor", "consumer"]
Encoding = Literal["json", "sep51", "xdr", "arrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequirements:
    """What a plugin needs of the machine; 0 and False ask for nothing.

    Attributes:
        min_memory_mb: Memory that must be free before it is started, in MiB.
        max_memory_mb: Memory it may use at the most, in MiB; 0 means no bound of its own.
        cpu_shares: Relative weight of processor time, 1024 being one core's worth.
        gpu_required: Whether it needs a graphics processor.
    """

    min_memory_mb: int = 0
    max_memory_mb: int = 0
    cpu_shares: int = 0
    gpu_required: bool = False


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where a message came from.

    Attributes:
        name: The source plugin, e.g. ``galexie``.
        network: The Stellar network's passphrase, or empty where none applies.
        uri: The place that was read, without secrets, e.g. ``s3://bucket/ledgers``.
    """

    name: str = ""
    network: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class HealthStatus:
    """How a plugin is, in its own words.

    Attributes:
        status: ``healthy``, ``degraded`` (works, but look at it) or ``unhealthy``.
        message: One sentence for the operator.
        details: Free facts, JSON values only.
    """

    status: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PluginMetadata:
    """A plugin's identity card.

    Attributes:
        name: Unique name, lower case with dashes.
        version: Semantic version, e.g. ``1.4.0``.
        type: ``source``, ``processor`` or ``consumer``.
        description: One sentence.
        author: Who to ask.
        license: SPDX expression, e.g. ``Apache-2.0``.
        input_types: Message types it takes; empty means any.
        output_types: Message types it gives; empty means those it was given.
        config_schema: JSON Schema (draft 2020-12) of its configuration.
        output_schema: JSON Schema of each output type's payload, keyed by type.
        input_encoding: The form in which payloads are handed to it.
        stateful: Whether outputs depend on earlier messages; such a plugin runs once, in order.
        resources: What it needs of the machine.
    """

    name: str
    version: str
    type: PluginKind = "processor"
    description: str = ""
    author: str = ""
    license: str = ""
    input_types: Sequence[str] = ()
    output_types: Sequence[str] = ()
    config_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input_encoding: Encoding = "json"
    stateful: bool = False
    resources: ResourceRequirements = ResourceRequirements()

    @property
    def reference(self) -> str:
        """``name@version``, the form in which errors and dead letters name a plugin."""
        return f"{self.name}@{self.version}"


def identity(name: str, version: str, type: PluginKind, **others: Any) -> PluginMetadata:  # noqa: A002
    """Return metadata whose version has been looked at.

    Raises:
        PluginError: plugin.metadata_invalid; the version is none by semver.org.
    """
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise PluginError(
            f"plugin `{name}`: a semantic version such as `1.4.0` expected, got `{version}`",
            code="plugin.metadata_invalid",
            hint=f'write `@{type}("{name}", "1.0.0")`',
        )
    return PluginMetadata(name, version, type, **others)
