"""What lies in the folders that hold plugins: nothing is started to find out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.artifacts.manifest import FILE_NAME, load_manifest
from cdp_pipeline.errors import ArtifactError, ConfigError

_RUNTIMES = {".wasm": "wasm", ".py": "native"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlugin:
    """A plugin as it lies in a folder.

    Attributes:
        path: Its folder or file.
        name: Its name; that of its folder or file where there is no manifest that says it.
        version: Its version, or empty.
        kind: `source`, `processor` or `consumer`, or empty.
        runtime: How it is executed, or empty.
        error: Why it cannot be used, or None.
    """

    path: Path
    name: str
    version: str = ""
    kind: str = ""
    runtime: str = ""
    error: ArtifactError | None = None


def find_plugins(folders: Iterable[str | Path]) -> list[FoundPlugin]:
    """Return the plugins in *folders*, by name; a folder that does not exist holds none."""
    found = [plugin for folder in folders for plugin in _in_folder(Path(folder))]
    return sorted(found, key=lambda plugin: (plugin.name, plugin.version, str(plugin.path)))


def newest(found: Iterable[FoundPlugin], name: str, versions: str = "") -> Path | None:
    """Return where the newest usable plugin called *name* lies; None where there is none.

    Args:
        found: What `find_plugins` gave.
        name: Its name.
        versions: Versions that are wanted, as in `is_wanted`; empty wants any.

    Raises:
        ConfigError: config.value_invalid; *versions* is no range of versions.
    """
    from semantic_version import Version

    named = [
        (Version.coerce(each.version or "0"), each.path)
        for each in found
        if each.name == name
        and each.error is None
        # A plugin without a manifest says only when it runs which version it is.
        and (not each.version or is_wanted(each.version, versions))
    ]
    return max(named)[1] if named else None


def is_wanted(version: str, versions: str, where: str = "") -> bool:
    """Tell whether *version* lies in a range such as `^1.2` or `>=1.0,<2`; empty: any does.

    Source: the ranges of npm's `semver`.

    Raises:
        ConfigError: config.value_invalid; *versions* is no such range.
    """
    from semantic_version import NpmSpec, Version

    if not versions:
        return True
    try:
        wanted = NpmSpec(versions.replace(",", " "))
    except ValueError as error:
        raise ConfigError(
            f"expected versions such as `^1.2` or `>=1.0 <2`, got `{versions}`",
            code="config.value_invalid",
            where=where,
        ) from error
    return Version.coerce(version) in wanted


def _in_folder(folder: Path) -> Iterator[FoundPlugin]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if (entry / FILE_NAME).is_file():
            yield _with_manifest(entry)
        elif entry.is_file() and entry.suffix in _RUNTIMES:
            yield FoundPlugin(path=entry, name=entry.stem, runtime=_RUNTIMES[entry.suffix])


def _with_manifest(folder: Path) -> FoundPlugin:
    try:
        manifest = load_manifest(folder)
    except ArtifactError as error:
        return FoundPlugin(path=folder, name=folder.name, error=error)
    return FoundPlugin(
        path=folder,
        name=manifest.name,
        version=manifest.version,
        kind=manifest.type,
        runtime=manifest.chosen_runtime,
    )
