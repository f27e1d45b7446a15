"""Run Python plugins in the host's own process: same interface, no isolation.

The handles are the SDK's own, which a plugin's server uses too: a plugin behaves alike
in the host's process and in its own.
"""

from __future__ import annotations

from cdp_pipeline.config.limits import Limits
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.confining.mechanisms import NO_SANDBOX, mechanisms
from cdpplugin import Plugin, PluginMetadata, handles
from cdpplugin.handles import HANDLES

NativePlugin = handles.PluginHandle
NativeSource = handles.SourceHandle
NativeProcessor = handles.ProcessorHandle
NativeConsumer = handles.ConsumerHandle


def handle(
    plugin: Plugin, *, workers: int = 1, limits: Limits | None = None
) -> NativeSource | NativeProcessor | NativeConsumer:
    """Return *plugin* behind the asynchronous contract; *workers* calls may run at once.

    Nothing holds the *limits*: `confinement` of the handle says so of each.

    Raises:
        ArtifactError: plugin.metadata_invalid; it does not say what it is.
    """
    described(plugin)
    made = handles.handle(plugin, workers=workers)
    made.confinement = mechanisms(limits or Limits(), {}, NO_SANDBOX)
    return made


def described(plugin: Plugin) -> PluginMetadata:
    """Return the metadata of *plugin*.

    Raises:
        ArtifactError: plugin.metadata_invalid; it raises, or gives something else.
    """
    name = type(plugin).__name__
    hint = "return a cdpplugin.PluginMetadata whose type is source, processor or consumer"
    try:
        metadata = plugin.metadata()
    except (Exception, SystemExit) as error:
        raise ArtifactError(
            f"`{name}.metadata` raised {type(error).__name__}: {error}",
            code="plugin.metadata_invalid",
            hint=hint,
        ) from error
    kind = getattr(metadata, "type", None)
    if not isinstance(metadata, PluginMetadata) or kind not in HANDLES:
        got = f"type `{kind}`" if kind else f"`{type(metadata).__name__}`"
        raise ArtifactError(
            f"`{name}.metadata` gives {got}, expected the metadata of a plugin",
            code="plugin.metadata_invalid",
            hint=hint,
        )
    return metadata
