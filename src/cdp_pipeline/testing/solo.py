"""One plugin by itself, started as a pipeline of one stage would start it.

solo = await find_solo("examples/plugins/enrich-go", os.environ, settings)
async with solo.started() as handle:
    answer = await Asking(handle, solo.name).ask(message)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.manifest import FILE_NAME, Manifest, load_manifest
from cdp_pipeline.artifacts.plugin_folders import find_plugins, newest
from cdp_pipeline.config.document import parse_document, read_document
from cdp_pipeline.config.environment import FilledDocument, fill_document
from cdp_pipeline.config.faults import raise_faults
from cdp_pipeline.config.locations import KeyPath, Locations
from cdp_pipeline.config.paths import cache_folder
from cdp_pipeline.config.pipeline import PipelineConfig, PluginConfig
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.config.stage import ComponentConfig, SourceConfig, StageConfig
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component, Resolver
from cdp_pipeline.host.launch import Launch
from cdp_pipeline.host.management import manager_settings
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.host.renewal import Renewal
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.runtimes.building.builder import Builder
from cdpplugin import PluginKind

_OPTION = "--config"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ADDRESS = re.compile(r"\S+:\S+")


def read_config(text: str, environ: Mapping[str, str]) -> FilledDocument:
    """Return the configuration that *text* means: YAML or JSON, or `@FILE` of such.

    Raises:
        ConfigError: It cannot be read, is no mapping, or names a variable that is not set.
    """
    if not text:
        return FilledDocument({}, Locations(_OPTION))
    document = read_document(text[1:]) if text[0] == "@" else parse_document(text, _OPTION)
    filled = fill_document(document, environ)
    raise_faults(filled.faults, filled.file)
    return filled


class SoloPipeline(PipelineConfig):
    """A pipeline of one plugin, whose document is the plugin's configuration alone."""

    @property
    def file(self) -> Path:
        """None: it stands in no file, so that a reload looks for none."""
        return Path()

    @property
    def locations(self) -> Locations:
        """What is wrong with the plugin itself is wrong where it was named."""
        return Locations(self.plugins[0].path or self.plugins[0].name)

    def config_paths(self, component: ComponentConfig) -> tuple[KeyPath, ...]:
        """Return where the configuration stands: at the top."""
        return ((),)


class _Renewal(Renewal):
    """Leaves a plugin's cases out: who tries a new version is to see what it makes of them."""

    def again(self, component: Component) -> Component:
        found = super().again(component)
        return replace(found, found=replace(found.found, cases=lambda _: ()))


@dataclass(frozen=True)
class Solo:
    """One plugin that was found; nothing of it is started.

    Attributes:
        config: The pipeline of one.
        component: The plugin in it.
        plugins: What found it.
        environ: The host's environment.
        settings: The host's settings.
        manifest_place: Where its manifest is, if it is built and runs in a process or a sandbox.
    """

    config: SoloPipeline
    component: Component
    plugins: Plugins
    environ: Mapping[str, str]
    settings: HostSettings
    manifest_place: Path | None = None

    @property
    def name(self) -> str:
        """Its name, and its stage's."""
        return self.component.name

    @cached_property
    def manager(self) -> PluginManager:
        """What runs it; a new version takes over for good, whatever the old one made of it."""
        return PluginManager(replace(manager_settings(self.settings), probation_s=0.0))

    @cached_property
    def builder(self) -> Builder:
        """What builds it."""
        return Builder(cache_folder(self.environ), self.environ)

    @property
    def manifest(self) -> Manifest | None:
        """Its manifest as it is now.

        Raises:
            ManifestInvalid: It has faults.
        """
        return load_manifest(self.manifest_place) if self.manifest_place else None

    @property
    def is_built(self) -> bool:
        """Whether it can be started as it is."""
        manifest = self.manifest
        return manifest is None or self.builder.is_built(manifest)

    async def build(self) -> None:
        """Build it.

        Raises:
            ArtifactError: plugin.build_failed, or its manifest has faults.
        """
        manifest = self.manifest
        if manifest is not None:
            await self.builder.build(manifest)

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Any]:
        """Give its handle, configured and started; it is stopped afterwards.

        Raises:
            CdpError: It cannot be loaded, configured or started.
        """
        renewal = _Renewal(self.config, self.plugins, self.environ)
        try:
            async with assembly.started(self.config, [self.component], self.manager, renewal) as (
                _,
                [handle],
            ):
                yield handle
        finally:
            await self.manager.end()


async def find_solo(
    text: str,
    environ: Mapping[str, str],
    settings: HostSettings,
    *,
    config: str = "",
    network: str = "",
    grants: bool = False,
) -> Solo:
    """Return the plugin that *text* names: by folder, manifest, file, address or name.

    Args:
        text: How it was named.
        environ: The host's environment.
        settings: The host's settings, which tell the folders of plugins.
        config: Its configuration; see `read_config`.
        network: The network of the pipeline.
        grants: Whether it gets what its manifest asks for under `permissions`.

    Raises:
        ArtifactError: plugin.not_found.
        ManifestInvalid: Its manifest has faults.
        ConfigError: Its configuration cannot be read, or does not fit.
    """
    catalog = Catalog()
    document = read_config(config, environ)
    plugin, manifest = _plugin(text, catalog, settings, grants=grants)
    plugins = Plugins(catalog, environ, settings)
    found = plugins.listed(plugin)
    kind = found.metadata.type if found.metadata else await _kind_of(found.launch)
    pipeline = _pipeline(plugin, kind, network, document)
    stage = pipeline.source if kind == "source" else pipeline.stages[0]
    component = Resolver(pipeline, plugins, environ).resolve(stage)
    is_run_apart = manifest is not None and manifest.chosen_runtime != "native"
    place = Path(plugin.path) if is_run_apart else None
    return Solo(pipeline, component, plugins, environ, settings, place)


def _plugin(
    text: str, catalog: Catalog, settings: HostSettings, *, grants: bool
) -> tuple[PluginConfig, Manifest | None]:
    """Return what a pipeline would say of the plugin under `plugins`, and its manifest."""
    path = place_of(text, settings, catalog)
    if path is None:
        is_known = text in catalog
        return PluginConfig(
            name=text if is_known else "plugin", path="" if is_known else text
        ), None
    if path.is_dir() or path.suffix in (".yaml", ".yml"):
        manifest = load_manifest(path)
        granted = manifest.permissions if grants else manifest.permissions.harmless()
        place = str(path.absolute())
        return PluginConfig(name=manifest.name, path=place, permissions=granted), manifest
    member = text.partition(".py:")[2]
    named = f"{path.absolute()}:{member}" if member else str(path.absolute())
    return PluginConfig(name=_name_of(path.stem), path=named), None


def place_of(text: str, settings: HostSettings, catalog: Catalog | None = None) -> Path | None:
    """Return the folder, manifest or file that *text* names; None where it is not on this disk.

    Raises:
        ArtifactError: plugin.not_found.
    """
    file = Path(text.partition(".py:")[0] + ".py" if ".py:" in text else text)
    if file.exists():
        return file
    if text in (catalog or Catalog()) or _ADDRESS.fullmatch(text):
        return None
    found = newest(find_plugins(settings.plugin_folders), text)
    return found or _missing(text, settings)


def _name_of(stem: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]", "-", stem)[:64]
    return name if _NAME.fullmatch(name) else "plugin"


def _missing(text: str, settings: HostSettings) -> Path:
    folders = ", ".join(f"`{folder}`" for folder in settings.plugin_folders) or "no folder"
    raise ArtifactError(
        f"expected a plugin at `{text}` or of that name in {folders}, found none",
        code="plugin.not_found",
        hint=f"name a folder with a `{FILE_NAME}`, a Python or `.wasm` file, or a plugin that "
        "`flowctl plugin list` shows",
    )


async def _kind_of(launch: Launch) -> PluginKind:
    """Return what a plugin is that tells so only when it runs."""
    handle = await launch(1)
    try:
        return handle.metadata().type
    finally:
        with suppress(Exception):
            await handle.stop()


def _pipeline(
    plugin: PluginConfig, kind: PluginKind, network: str, document: FilledDocument
) -> SoloPipeline:
    is_source = kind == "source"
    name = plugin.name
    source = SourceConfig(plugin=name, name=name) if is_source else SourceConfig(type="messages")
    stage = StageConfig(type="stdout") if is_source else StageConfig(plugin=name, name=name)
    pipeline = SoloPipeline.model_validate(
        {
            "name": name,
            "network": network,
            "plugins": (plugin,),
            "source": source,
            "pipeline": (stage,),
        }
    )
    pipeline._document = document
    return pipeline
