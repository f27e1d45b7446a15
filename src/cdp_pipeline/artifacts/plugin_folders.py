"""What lies in the folders that hold plugins: nothing is started to find out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.artifacts.manifest import FILE_NAME, load_manifest
from cdp_pipeline.errors import ArtifactError

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
