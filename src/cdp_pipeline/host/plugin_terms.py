"""What a plugin and its pipeline demand of each other: versions, a sandbox, limits."""

from __future__ import annotations

from cdp_pipeline import __version__
from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.artifacts.plugin_folders import is_wanted
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.host.launch import Handle, Launch, runtime_of
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.confining.mechanisms import Mechanisms, is_confined, unenforced
from cdpplugin import PluginMetadata

HOST = "cdp-pipeline"
"""The host's name under `requires` in a manifest."""


def require_host(manifest: Manifest) -> None:
    """Refuse a plugin that was made for another version of the host.

    Raises:
        ConfigError: plugin.host_mismatch, or config.value_invalid for a version that is none.
    """
    wanted = manifest.requires.get(HOST, "")
    where = manifest.locations.where_key(("requires", HOST))
    if not is_wanted(__version__, wanted, where):
        reference = manifest.metadata().reference
        raise ConfigError(
            f"`{reference}` requires {HOST} {wanted}, this is {__version__}",
            code="plugin.host_mismatch",
            where=where,
            hint=f"install {HOST} {wanted}, or another version of the plugin",
        )


def require_version(plugin: PluginConfig, metadata: PluginMetadata) -> None:
    """Refuse a plugin whose version the pipeline does not want.

    Raises:
        ConfigError: plugin.version_mismatch, or config.value_invalid for a wanted version
            that is none.
    """
    if not plugin.version:
        return
    if not is_wanted(metadata.version, plugin.version):
        raise ConfigError(
            f"expected version {plugin.version} of `{plugin.name}`, got {metadata.version}",
            code="plugin.version_mismatch",
            hint="change `version`, or put another version of the plugin at `path`",
        )


def on_terms(launch: Launch, plugin: PluginConfig) -> Launch:
    """Return *launch* with what can be checked only once the plugin says what it is."""

    async def launch_on_terms(workers: int) -> Handle:
        handle = await launch(workers)
        try:
            require_version(plugin, handle.metadata())
            _say_what_is_not_enforced(plugin, handle)
        except ConfigError:
            await handle.stop()
            raise
        return handle

    return launch_on_terms


def _say_what_is_not_enforced(plugin: PluginConfig, handle: Handle) -> None:
    """Never let anybody believe in a limit that nothing enforces.

    Raises:
        ConfigError: plugin.not_confined; the pipeline demands a sandbox.
    """
    found: Mechanisms = handle.confinement  # type: ignore[union-attr]
    if plugin.sandbox == "required" and not is_confined(found):
        raise ConfigError(
            f"`{plugin.name}` must be confined, and runtime `{runtime_of(handle)}` does not "
            "confine it",
            code="plugin.not_confined",
            hint="set `sandbox: auto` to run it all the same",
        )
    if idle := unenforced(found):
        logger(plugin=handle.metadata().reference).warning(
            "limits are not enforced", limits=idle, runtime=runtime_of(handle)
        )
