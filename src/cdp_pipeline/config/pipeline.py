"""A pipeline file as a frozen object; the format is that of the README's first example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.limits import Limits, Permissions, Sandbox
from cdp_pipeline.config.locations import KeyPath, Locations
from cdp_pipeline.config.model import DurationS, Frozen, ShortForm
from cdp_pipeline.config.paths import PIPELINE_NAME
from cdp_pipeline.config.secrecy import Secrets
from cdp_pipeline.config.stage import BatchConfig, ComponentConfig, SourceConfig, StageConfig
from cdp_pipeline.config.tls import TlsConfig

Runtime = Literal["grpc", "wasm", "native"]
NAME_EXPECTED = (
    "a name of 1 to 64 letters, digits, `.`, `_` and `-` that begins with a letter or digit"
)
NETWORKS = ("pubnet", "mainnet", "public", "testnet", "futurenet", "standalone", "local")
"""Names of Stellar networks; any other network is written as its passphrase."""


class PluginConfig(Frozen):
    """A plugin that stages may use."""

    name: str = Field(
        pattern=PIPELINE_NAME,
        description="Name by which stages refer to it.",
        json_schema_extra={"expected": NAME_EXPECTED},
    )
    type: Runtime | None = Field(
        default=None,
        description="How it is executed; without it the manifest says, else the file itself.",
    )
    path: str = Field(
        default="",
        description="Its folder, manifest, file, address (`host:port`) or Python entry point "
        "(`module:attribute`); without it the plugin is looked up by name.",
        json_schema_extra={"format": "path"},
    )
    config: Mapping[str, Any] = Field(
        default={}, repr=False, description="The plugin's own configuration."
    )
    version: str = Field(
        default="",
        description="Versions that may be used; without it any.",
        examples=["^1.2", ">=1.0,<2"],
    )
    limits: Limits = Field(default=Limits(), description="Hard limits.")
    permissions: Permissions = Field(
        default=Permissions(), description="Grants beyond its own folder."
    )
    sandbox: Sandbox = Field(
        default="auto",
        description="`auto` confines the plugin as far as the machine can, `required` refuses "
        "to start it where that is not possible, `off` does not confine it.",
    )
    tls: TlsConfig | None = Field(
        default=None,
        description="Certificates for a plugin at an address; `{}` is TLS with the system's "
        "authorities, without the key the connection is not encrypted.",
    )
    token: str = Field(
        default="",
        repr=False,
        description="Secret that a plugin at an address expects of its hosts.",
        json_schema_extra={"secret": True},
    )


class CheckpointConfig(Frozen):
    """When the position reached is written down."""

    interval: DurationS = Field(
        default=1.0, description="Time between two checkpoints, in seconds or `1s`."
    )


class DeadLetterConfig(Frozen):
    """Where messages are set aside."""

    path: str = Field(
        default="",
        description="The file; without it `dead-letters.jsonl` in the pipeline's state folder.",
        json_schema_extra={"format": "path"},
    )


class PipelineConfig(Frozen):
    """One pipeline: a source, stages in order, and the plugins they use."""

    model_config = ConfigDict(
        title="CDP pipeline", json_schema_extra={"patternProperties": {"^x-": {}}}
    )

    name: str = Field(
        pattern=PIPELINE_NAME,
        description="Name of the pipeline, and of the folder of its state.",
        json_schema_extra={"expected": NAME_EXPECTED},
    )
    description: str = Field(default="", description="What it is for.")
    network: str = Field(
        default="",
        description="Stellar network: a name such as `pubnet` or `testnet`, or a passphrase; "
        "without it that of the source's configuration.",
        examples=["pubnet", "testnet", "futurenet"],
    )
    plugins: tuple[PluginConfig, ...] = Field(default=(), description="Plugins to load.")
    source: SourceConfig = Field(description="Where messages come from.")
    stages: tuple[Annotated[StageConfig, ShortForm(lambda text: {"type": text})], ...] = Field(
        alias="pipeline",
        min_length=1,
        description="What happens to messages, in order; a bare name stands for its `type`.",
    )
    batch: BatchConfig = Field(
        default=BatchConfig(), description="Batch sizes of stages that name none."
    )
    checkpoint: CheckpointConfig = Field(
        default=CheckpointConfig(), description="How progress is kept."
    )
    dead_letter: DeadLetterConfig = Field(
        default=DeadLetterConfig(), description="Where messages that fail are set aside."
    )

    _document: FilledDocument = PrivateAttr(default=FilledDocument({}, Locations("<memory>")))

    @property
    def document(self) -> FilledDocument:
        """The file as it was read, for checks that come later."""
        return self._document

    @property
    def file(self) -> Path:
        """The file it was read from, as the user named it."""
        return Path(self._document.file)

    @property
    def locations(self) -> Locations:
        """Where everything stands in the file."""
        return self._document.locations

    @property
    def secrets(self) -> Secrets:
        """What of it must not be shown."""
        return self._document.secrets

    def plugin(self, name: str) -> PluginConfig | None:
        """Return the listed plugin called *name*, or None."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def path_of(self, component: ComponentConfig) -> KeyPath:
        """Return where the source or a stage stands: ``("pipeline", 2)``."""
        for index, stage in enumerate(self.stages):
            if stage is component:
                return ("pipeline", index)
        return ("source",)

    def config_paths(self, component: ComponentConfig) -> tuple[KeyPath, ...]:
        """Return where a component's `config` stands: its plugin's, then its own on top."""
        own = (*self.path_of(component), "config")
        for index, plugin in enumerate(self.plugins):
            if component.plugin == plugin.name:
                return (("plugins", index, "config"), own)
        return (own,)
