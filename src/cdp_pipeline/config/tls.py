"""Which certificates a connection to a plugin elsewhere uses."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from cdp_pipeline.config.model import Frozen

_FILE: dict[str, Any] = {"format": "path"}
TLS_PATHS = ("ca", "certificate", "key")
"""The keys that name files."""


class TlsConfig(Frozen):
    """TLS to a plugin at an address; with no key of its own it trusts the system's authorities."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"certificate": ["key"], "key": ["certificate"]},
        }
    )

    ca: str = Field(
        default="",
        min_length=1,
        description="PEM file of the authorities that may have signed the plugin's certificate; "
        "without it those of the system.",
        json_schema_extra=_FILE,
    )
    certificate: str = Field(
        default="",
        min_length=1,
        description="PEM file of the host's own certificate, for mutual TLS.",
        json_schema_extra=_FILE,
    )
    key: str = Field(
        default="",
        min_length=1,
        description="PEM file of its private key.",
        json_schema_extra=_FILE,
    )
    server_name: str = Field(
        default="",
        min_length=1,
        description="The name in the plugin's certificate, where it is not the address's host.",
    )
