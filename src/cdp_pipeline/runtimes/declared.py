"""What a plugin says of itself, completed by what its manifest says."""

from __future__ import annotations

from dataclasses import fields, replace

from cdpplugin import Fatal, PluginMetadata
from cdpplugin.metadata import ResourceRequirements

_EMPTY: tuple[object, ...] = ("", (), {}, ResourceRequirements())


def completed(said: PluginMetadata, manifest: PluginMetadata) -> PluginMetadata:
    """Return *said*, fields that it leaves empty taken from *manifest*.

    Raises:
        Fatal: plugin.kind_mismatch; they disagree on what kind of plugin it is.
    """
    if said.type != manifest.type:
        raise Fatal(
            f"plugin `{manifest.reference}` says that it is a {said.type}; "
            f"its manifest says {manifest.type}",
            code="plugin.kind_mismatch",
            hint=f"write `type: {said.type}` in the manifest",
        )
    missing = {
        field.name: getattr(manifest, field.name)
        for field in fields(PluginMetadata)
        if getattr(said, field.name) in _EMPTY
    }
    encoding = said.input_encoding if said.input_encoding != "json" else manifest.input_encoding
    stateful = said.stateful or manifest.stateful
    return replace(said, **missing, input_encoding=encoding, stateful=stateful)


def differences(said: PluginMetadata, manifest: PluginMetadata) -> list[str]:
    """Return in words where name or version differ, for the user to know."""
    return [
        f"the plugin says its {name} is `{of_plugin}`, its manifest says `{of_manifest}`"
        for name in ("name", "version")
        if (of_plugin := getattr(said, name))
        and of_plugin != (of_manifest := getattr(manifest, name))
    ]
