"""Host-wide settings: `flowctl.yaml`, each key overridable by a `FLOWCTL_*` variable.

The file is the one named by `--settings`, else by `$FLOWCTL_CONFIG`, else `./flowctl.yaml`,
else `$XDG_CONFIG_HOME/cdp/flowctl.yaml`, else there is none. A variable's name is the key's,
in capitals, parts joined by `_`: `FLOWCTL_MAX_PLUGINS`, `FLOWCTL_LIMITS_MEMORY`. Lists of
paths are separated as in `PATH`. Other `FLOWCTL_*` variables are ignored.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, PrivateAttr

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.locations import Locations
from cdp_pipeline.config.model import DurationS, Frozen, PositiveDurationS


class TrustConfig(Frozen):
    """Whose plugins may run."""

    signatures: Literal["optional", "required"] = Field(
        default="optional",
        description="`required` refuses plugins without a valid signature; "
        "`optional` verifies those that have one.",
    )
    keys: tuple[str, ...] = Field(
        default=(),
        description="Files with the public keys that are trusted.",
        json_schema_extra={"items": {"type": "string", "format": "path"}},
    )


class RegistryConfig(Frozen):
    """Where plugins are looked for that no folder has."""

    url: str = Field(
        default="", description="Address or folder of the registry; without it there is none."
    )


class HostSettings(Frozen):
    """Settings of one host, for all pipelines it runs."""

    model_config = ConfigDict(
        title="flowctl settings", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    plugin_folders: tuple[str, ...] = Field(
        default=(),
        description="Folders that hold plugins, one folder or file each; "
        "without it `$XDG_DATA_HOME/cdp/plugins`.",
        json_schema_extra={"items": {"type": "string", "format": "path"}},
    )
    hot_reload: bool = Field(
        default=True, description="Whether a plugin is reloaded when its files change."
    )
    reload_debounce: DurationS = Field(
        default=0.5, description="Time without changes after which changed files are looked at."
    )
    health_interval: PositiveDurationS = Field(
        default=10.0, description="Time between two health checks of a plugin."
    )
    unhealthy_threshold: int = Field(
        default=3, ge=1, description="Failed health checks in a row that make a plugin unhealthy."
    )
    reload_window: DurationS = Field(
        default=10.0,
        description="Time in which a new version is rolled back if it fails what the old one can "
        "do; `0s` ends the old one at once.",
    )
    quarantine_wait: DurationS = Field(
        default=0.0,
        description="Time for which messages wait for a plugin that was taken out of service, "
        "until `flowctl plugin reload` brings it back; then the run fails.",
    )
    max_restarts: int = Field(
        default=5,
        ge=0,
        description="Times that a plugin which died is started again within `restart_window`; "
        "then it is taken out of service.",
    )
    restart_window: PositiveDurationS = Field(
        default=60.0, description="Length of the sliding window of `max_restarts`."
    )
    max_plugins: int = Field(default=64, ge=1, description="Most plugins that run at a time.")
    limits: Limits = Field(
        default=Limits(), description="Limits of plugins for which a pipeline sets none."
    )
    trust: TrustConfig = Field(default=TrustConfig(), description="Which signatures count.")
    registry: RegistryConfig = Field(
        default=RegistryConfig(), description="Where plugins are looked for."
    )
    log_format: Literal["auto", "text", "json"] = Field(
        default="auto",
        description="How logs are written; `auto` is text with a live display "
        "on a terminal, and plain text lines elsewhere.",
    )

    _document: FilledDocument = PrivateAttr(default=FilledDocument({}, Locations("<defaults>")))

    @property
    def document(self) -> FilledDocument:
        """The file as it was read, variables laid over it."""
        return self._document

    @property
    def locations(self) -> Locations:
        """Where each setting was made."""
        return self._document.locations
