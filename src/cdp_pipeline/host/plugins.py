"""Find a plugin that a pipeline lists, and say how it is launched: which runtime, which bytes.

Which runtime: the pipeline's `type`, else the manifest, else what stands at `path` (a Python
file, an entry point `module:attribute`, an address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.cases import Case
from cdp_pipeline.artifacts.manifest import Manifest, load_manifest
from cdp_pipeline.artifacts.plugin_folders import find_plugins, newest
from cdp_pipeline.artifacts.self_test import cases_for
from cdp_pipeline.config.limits import FileGrant, Limits
from cdp_pipeline.config.paths import cache_folder
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.errors import ArtifactError, ConfigError
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.launch import Launch, natively
from cdp_pipeline.host.native_executable import creator
from cdp_pipeline.host.plugin_terms import on_terms, require_host, require_version
from cdp_pipeline.runtimes import discovery
from cdpplugin import PluginMetadata


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that was found; nothing of it has been started.

    Attributes:
        launch: Makes a new handle that takes so many calls at once.
        metadata: What it says of itself; None where only the running plugin tells.
        place: Its folder or file, where it has one of its own on this machine.
        cases: What it must answer with a configuration before a new version of it is trusted.
        not_reloadable: Why it cannot be replaced while it runs; else empty.
        plugin: What the pipeline says of it under `plugins`.
    """

    launch: Launch
    metadata: PluginMetadata | None = None
    place: Path | None = None
    cases: Callable[[Mapping[str, Any]], Sequence[Case]] = lambda config: ()
    not_reloadable: str = ""
    plugin: PluginConfig | None = None


_ENTRY_POINT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_MANIFESTS = (".yaml", ".yml")
_ADDRESS = re.compile(r"(dns|ipv4|ipv6|unix):.*|([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d+")


class Plugins:
    """Finds the plugins of one pipeline.

    Args:
        catalog: The components that are installed.
        environ: The host's environment.
        settings: The host's settings: folders of plugins, limits, restarts.
        scratch: A folder that every plugin with a manifest may write to, for tests.
    """

    def __init__(
        self,
        catalog: Catalog,
        environ: Mapping[str, str],
        settings: HostSettings | None = None,
        scratch: Path | None = None,
    ) -> None:
        self._catalog = catalog
        self._scratch = scratch
        self._environ = environ
        self._settings = settings or HostSettings()
        self._limits = self._settings.limits

    def installed(self, type_name: str, limits: Limits | None = None) -> Found:
        """Return the component of *type_name*; nothing holds the *limits*, and it says so.

        Raises:
            ConfigError: component.unknown_type.
        """
        if type_name not in self._catalog:
            raise self._catalog.unknown(type_name)
        return Found(
            natively(lambda: self._catalog.create(type_name), limits),
            self._catalog.metadata(type_name),
            not_reloadable=f"`{type_name}` is installed with the host, and changes with it",
        )

    def listed(self, plugin: PluginConfig) -> Found:
        """Return the plugin that an entry under `plugins` means.

        Raises:
            ConfigError: plugin.not_found, runtime.unavailable or plugin.version_mismatch.
            ManifestInvalid: Its manifest has faults.
        """
        found = self._found(plugin)
        if found.metadata is not None:
            require_version(plugin, found.metadata)
        return replace(found, launch=on_terms(found.launch, plugin), plugin=plugin)

    def _found(self, plugin: PluginConfig) -> Found:
        path = plugin.path
        if path and (Path(path).is_dir() or Path(path).suffix in _MANIFESTS):
            return self._with_manifest(*self._with_scratch(plugin, load_manifest(Path(path))))
        if not _names_address(plugin):
            _refuse_remote_keys(plugin)
        if not path:
            return self._named(plugin)
        file = path.partition(".py:")[0] + ".py" if ".py:" in path else path
        if _is_module(plugin):
            launch = self._wasm.load_file(Path(path), plugin, self._limits)
            return Found(launch, place=Path(path))
        is_python = plugin.type == "native" or (plugin.type is None and file.endswith(".py"))
        if is_python and Path(file).exists():
            launch = natively(lambda: discovery.load_file(path), self._bounds(plugin))
            return Found(launch, place=Path(file))
        if not Path(path).exists():
            return self._elsewhere(plugin)
        raise _unavailable(plugin)

    def _with_scratch(
        self, plugin: PluginConfig, manifest: Manifest
    ) -> tuple[PluginConfig, Manifest]:
        """Return both as if they named that folder: a grant takes manifest and pipeline."""
        if self._scratch is None:
            return plugin, manifest
        grant = FileGrant(path=str(self._scratch), mode="write")
        asked, granted = (each.permissions.with_files(grant) for each in (manifest, plugin))
        return (
            plugin.model_copy(update={"permissions": granted}),
            manifest.model_copy(update={"permissions": asked}),
        )

    def _named(self, plugin: PluginConfig) -> Found:
        """Return the plugin that is installed under its name, or lies in a folder of plugins."""
        if plugin.name in self._catalog:
            return self.installed(plugin.name, self._bounds(plugin))
        path = newest(find_plugins(self._settings.plugin_folders), plugin.name, plugin.version)
        if path is None:
            raise _not_listed(plugin, self._settings.plugin_folders)
        return self._found(plugin.model_copy(update={"path": str(path)}))

    def _elsewhere(self, plugin: PluginConfig) -> Found:
        """Return what is neither a file nor a folder: an address, or an entry point."""
        if _names_address(plugin):
            return Found(self._grpc.load_address(plugin.path, plugin, self._limits))
        if plugin.type in (None, "native") and _ENTRY_POINT.fullmatch(plugin.path):
            point = EntryPoint(plugin.name, plugin.path, discovery.GROUP)
            create = partial(discovery.load_installed, point)
            return Found(natively(create, self._bounds(plugin)))
        raise _missing(plugin.path)

    def _with_manifest(self, plugin: PluginConfig, manifest: Manifest) -> Found:
        require_host(manifest)
        runtime = plugin.type or manifest.chosen_runtime
        if runtime != "grpc" or not manifest.address:
            _refuse_remote_keys(plugin)
        if runtime == "native":
            launch = natively(creator(manifest), self._bounds(plugin))
        else:
            loader = self._grpc if runtime == "grpc" else self._wasm
            launch = loader.load(manifest, plugin, self._limits)
        cases = partial(cases_for, manifest.folder, self._environ)
        return Found(launch, manifest.metadata(), manifest.folder, cases)

    def _bounds(self, plugin: PluginConfig) -> Limits:
        return plugin.limits.over(self._limits)

    @cached_property
    def _grpc(self) -> Any:
        from cdp_pipeline.connectors.backings import HOST_BACKINGS
        from cdp_pipeline.runtimes.grpc.loader import GrpcLoader
        from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy

        settings = self._settings
        policy = RestartPolicy(max_restarts=settings.max_restarts, window_s=settings.restart_window)
        cache = cache_folder(self._environ)
        return GrpcLoader(self._environ, cache, backings=HOST_BACKINGS, policy=policy)

    @cached_property
    def _wasm(self) -> Any:
        from cdp_pipeline.connectors.backings import HOST_BACKINGS
        from cdp_pipeline.runtimes.wasm.loader import WasmLoader

        return WasmLoader(self._environ, cache_folder(self._environ), backings=HOST_BACKINGS)


def _names_address(plugin: PluginConfig) -> bool:
    is_address = _ADDRESS.fullmatch(plugin.path) is not None
    return is_address and plugin.type in (None, "grpc") and not Path(plugin.path).exists()


def _refuse_remote_keys(plugin: PluginConfig) -> None:
    """Never let anybody believe in an encryption that there is not.

    Raises:
        ConfigError: config.value_invalid; `tls` or `token` of a plugin that is not elsewhere.
    """
    given = [name for name in ("tls", "token") if getattr(plugin, name)]
    if given:
        raise ConfigError(
            f"`{given[0]}` is for a plugin at an address, got it for `{plugin.name}`, "
            "which runs on this machine",
            code="config.value_invalid",
            hint=f"remove `{given[0]}`, or give an address such as `dns:///HOST:PORT` in `path`",
        )


def _missing(path: str) -> ConfigError:
    return ConfigError(
        f"expected a plugin at `{path}`, found nothing",
        code="plugin.not_found",
        hint="check `path`; it resolves against the pipeline file's folder",
    )


def _not_listed(plugin: PluginConfig, folders: Sequence[str]) -> ConfigError:
    looked = ", ".join(f"`{folder}`" for folder in folders) or "no folder"
    wanted = f" {plugin.version}" if plugin.version else ""
    return ConfigError(
        f"no plugin `{plugin.name}`{wanted} is installed, and none lies in {looked}",
        code="plugin.not_found",
        hint="give its `path`, or put it into a folder of `plugin_folders`; "
        "`flowctl list` and `flowctl plugin list` show what there is",
    )


def _is_module(plugin: PluginConfig) -> bool:
    """Tell a WebAssembly file, by what the pipeline says or by its name."""
    path = Path(plugin.path)
    named = plugin.type is None and path.suffix == ".wasm"
    return path.is_file() and (plugin.type == "wasm" or named)


def _unavailable(plugin: PluginConfig) -> ArtifactError:
    return ArtifactError(
        f"expected a plugin of runtime `{plugin.type or 'any'}` at `{plugin.path}`, "
        "got a file that is none",
        code="runtime.unavailable",
        hint="name a folder with a `plugin.yaml`, a Python file, or a `.wasm` file",
    )
