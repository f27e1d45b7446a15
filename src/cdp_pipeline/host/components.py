"""Find and check each component that a pipeline file names, without starting anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cdp_pipeline.config.component import check_component, merged_config, secrets_of
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.paths import resolve_paths
from cdp_pipeline.config.pipeline import PipelineConfig, PluginConfig
from cdp_pipeline.config.secrecy import Secrets
from cdp_pipeline.config.stage import ComponentConfig, StageConfig
from cdp_pipeline.errors import CdpError, ConfigError
from cdp_pipeline.host.origin import Origin
from cdp_pipeline.host.plugins import Found, Plugins
from cdpplugin import PluginMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One stage of a pipeline, resolved.

    Attributes:
        name: Its name, unique in the pipeline.
        stage: What the file says of it.
        key_path: Where it stands in the file.
        where: `file:line:column` of it.
        metadata: What it says of itself; None where that is unknown until it is started.
        config: Its configuration, checked where it has a schema, paths resolved.
        config_of: The same for a plugin that says of itself only when it runs what it is.
        found: Where it was found, and how it is launched.
        secrets: What of its configuration must not be shown.
        origin: Tells what a file would say to make the same; secret values as variables.
    """

    name: str
    stage: ComponentConfig
    key_path: KeyPath
    where: str
    metadata: PluginMetadata | None
    config: Mapping[str, Any] = field(repr=False)
    config_of: Callable[[PluginMetadata], Mapping[str, Any]] = field(repr=False)
    found: Found = field(repr=False)
    secrets: Secrets = field(repr=False)
    origin: Callable[[], Mapping[str, Any]] = field(default=dict, repr=False)

    @property
    def reference(self) -> str:
        """`name@version`, or its name where no metadata is known."""
        return self.metadata.reference if self.metadata else self.name


def require_kind(stage: ComponentConfig, kind: str, where: str) -> None:
    """Refuse a source among the stages, and anything else in its place.

    Raises:
        ConfigError: component.wrong_kind.
    """
    is_stage = isinstance(stage, StageConfig)
    if is_stage == (kind != "source"):
        return
    expected = "a processor or consumer" if is_stage else "a source"
    raise ConfigError(
        f"expected {expected}, got the {kind} `{stage.component}`",
        code="component.wrong_kind",
        where=where,
        hint="`flowctl list` shows what each component is",
    )


class Resolver:
    """Resolves the components of one pipeline file."""

    def __init__(
        self, pipeline: PipelineConfig, plugins: Plugins, environ: Mapping[str, str]
    ) -> None:
        self._pipeline = pipeline
        self._plugins = plugins
        self._environ = environ

    def source(self) -> Component:
        """Return the source.

        Raises:
            ConfigError: It is unknown, or its configuration does not fit.
        """
        return self.resolve(self._pipeline.source)

    def stages(self) -> Iterator[Component | CdpError]:
        """Yield each stage, or what is wrong with it."""
        for stage in self._pipeline.stages:
            try:
                yield self.resolve(stage)
            except CdpError as error:
                yield error

    def resolve(self, stage: ComponentConfig) -> Component:
        """Return the source or one stage.

        Raises:
            CdpError: It is unknown, or its configuration does not fit.
        """
        key_path = self._pipeline.path_of(stage)
        key = "plugin" if stage.plugin else "type"
        try:
            found = self._find(stage)
        except CdpError as error:
            error.where = error.where or self._where((*key_path, key))
            raise
        where = self._where((*key_path, key))
        metadata = found.metadata
        if metadata is not None:
            require_kind(stage, metadata.type, where)
        config, secrets = self._config(stage, metadata)
        return Component(
            name=stage.name,
            stage=stage,
            key_path=key_path,
            where=where,
            metadata=metadata,
            config=config,
            config_of=lambda said: config if metadata else self._config(stage, said)[0],
            found=found,
            secrets=secrets,
            origin=lambda: Origin(self._pipeline, stage, metadata, self._environ).told(config),
        )

    def _find(self, stage: ComponentConfig) -> Found:
        if not stage.plugin:
            return self._plugins.installed(stage.type)
        plugin = self._pipeline.plugin(stage.plugin)
        if plugin is None:
            names = [known.name for known in self._pipeline.plugins]
            near = get_close_matches(stage.plugin, names, n=1)
            raise ConfigError(
                f"no plugin `{stage.plugin}` is listed under `plugins`",
                code="config.unknown_name",
                hint=f"did you mean `{near[0]}`?" if near else "list it under `plugins`",
            )
        return self._listed(plugin)

    def _listed(self, plugin: PluginConfig) -> Found:
        try:
            return self._plugins.listed(plugin)
        except CdpError as error:
            error.where = error.where or self._where(self._plugin_path(plugin))
            raise

    def _plugin_path(self, plugin: PluginConfig) -> KeyPath:
        names = [known.name for known in self._pipeline.plugins]
        return ("plugins", names.index(plugin.name), "path")

    def _config(
        self, stage: ComponentConfig, metadata: PluginMetadata | None
    ) -> tuple[Mapping[str, Any], Secrets]:
        document, bases = self._pipeline.document, self._pipeline.config_paths(stage)
        if metadata is None or not metadata.config_schema:
            return merged_config(document, bases), self._pipeline.secrets
        schema = metadata.config_schema
        config = check_component(document, bases, schema)

        def folder_of(path: KeyPath) -> Path:
            """Return the folder of a value: the last mapping that holds it gave it."""
            holders = [base for base in bases if document.at((*base, *path)) is not None]
            return document.folder_of((*(holders or bases)[-1], *path))

        secrets = self._pipeline.secrets.including(secrets_of(config, schema).texts)
        return resolve_paths(config, schema, folder_of, self._environ), secrets

    def _where(self, path: KeyPath) -> str:
        return self._pipeline.locations.where(path)
