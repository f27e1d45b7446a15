"""What is run: the manifest's executable, of the plugin's folder or found on PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.errors import ArtifactError

_INTERPRETERS = {".py": "python3", ".js": "node", ".mjs": "node", ".cjs": "node"}
"""Who runs a source file that is not executable by itself."""


def own_executable(manifest: Manifest) -> Path | None:
    """Return the executable where it is a file of the plugin's folder, else None."""
    path = manifest.folder / manifest.executable
    return path.absolute() if manifest.executable and path.is_file() else None


def command_of(manifest: Manifest, search_path: str, python: Path | None = None) -> list[str]:
    """Return the command that starts the plugin.

    Args:
        manifest: The plugin's manifest.
        search_path: Where commands are looked for, as in `PATH`.
        python: The interpreter of the plugin's own environment, if it has one.

    Raises:
        ArtifactError: plugin.executable_missing; there is nothing to run.
    """
    arguments = list(manifest.args)
    own = own_executable(manifest)
    if own is None:
        return [_found(manifest, search_path), *arguments]
    if own.suffix == ".py" and (python or not os.access(own, os.X_OK)):
        return [str(python or sys.executable), str(own), *arguments]
    if own.suffix in _INTERPRETERS and not os.access(own, os.X_OK):
        interpreter = shutil.which(_INTERPRETERS[own.suffix], path=search_path)
        if interpreter:
            return [interpreter, str(own), *arguments]
    return [str(own), *arguments]


def _found(manifest: Manifest, search_path: str) -> str:
    name = manifest.executable
    found = shutil.which(name, path=search_path) if name and "/" not in name else None
    if found:
        return found
    if not name:
        message = "the manifest names neither `executable`, nor `docker`, nor `address`"
    else:
        message = f"expected the executable `{name}` in the plugin's folder or on PATH, found none"
    raise ArtifactError(
        message,
        code="plugin.executable_missing",
        where=str(manifest.folder),
        hint="build the plugin: `flowctl plugin build DIR`"
        if manifest.build
        else "check `executable` in the manifest",
    )
