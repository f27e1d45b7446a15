"""What can stand in a pipeline: every component by type name, with what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint

from cdp_pipeline.errors import ConfigError
from cdp_pipeline.runtimes import discovery
from cdpplugin import Plugin, PluginMetadata


class Catalog:
    """The components installed in this environment, found by entry point.

    Built-in ones are found exactly as a stranger's are. Nothing is imported before it
    is asked for.
    """

    def __init__(self, points: Mapping[str, EntryPoint] | None = None) -> None:
        self._points = discovery.installed() if points is None else points
        self.metadata = lru_cache(maxsize=None)(self._metadata)

    @property
    def types(self) -> list[str]:
        """Type names, sorted."""
        return sorted(self._points)

    def __contains__(self, type_name: str) -> bool:
        return type_name in self._points

    def create(self, type_name: str) -> Plugin:
        """Return a new component of *type_name*.

        Raises:
            ConfigError: component.unknown_type, with the nearest name.
            ArtifactError: Its module cannot be imported.
        """
        point = self._points.get(type_name)
        if point is None:
            raise self.unknown(type_name)
        return discovery.load_installed(point)

    def _metadata(self, type_name: str) -> PluginMetadata:
        return self.create(type_name).metadata()

    def of_kind(self, kind: str) -> list[tuple[str, PluginMetadata]]:
        """Return (type name, metadata) of every component of *kind*, sorted by name."""
        known = ((name, self.metadata(name)) for name in self.types)
        return [(name, metadata) for name, metadata in known if metadata.type == kind]

    def is_built_in(self, type_name: str) -> bool:
        """Tell whether a component comes with the host."""
        return self._points[type_name].value.startswith("cdp_pipeline.")

    def unknown(self, type_name: str) -> ConfigError:
        """Return the error for a type that is not installed."""
        near = get_close_matches(type_name, self.types, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "`flowctl list` shows what is installed"
        return ConfigError(
            f"unknown component type `{type_name}`", code="component.unknown_type", hint=hint
        )
