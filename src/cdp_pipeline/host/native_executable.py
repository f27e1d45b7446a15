"""Find the Python code that a manifest of a native plugin names.

`executable` is a Python file of the plugin's folder, `FILE.py` or `FILE.py:NAME`, or
`module:attribute`, the module being one of the folder or an installed one.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.errors import ConfigError
from cdp_pipeline.runtimes import discovery
from cdpplugin import Plugin


def creator(manifest: Manifest) -> Callable[[], Plugin]:
    """Return what makes a new object of the plugin; nothing of it is executed before.

    Raises:
        ConfigError: plugin.not_found.
    """
    module, _, attribute = manifest.executable.partition(":")
    if module.endswith(".py"):
        return _of_file(manifest, manifest.folder / module, attribute)
    if not module or not attribute:
        raise _not_found(manifest, f"expected a Python file or `module:attribute`, got `{module}`")
    for file in _files_of(manifest.folder, module):
        if file.is_file():
            return _of_file(manifest, file, attribute)
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise _not_found(manifest, f"there is no module `{package}`, in its folder or installed")
    point = EntryPoint(manifest.name, manifest.executable, discovery.GROUP)
    return lambda: discovery.load_installed(point)


def _of_file(manifest: Manifest, file: Path, attribute: str) -> Callable[[], Plugin]:
    if not file.is_file():
        raise _not_found(manifest, f"expected a Python file at `{file}`, found none")
    reference = f"{file}:{attribute}" if attribute else str(file)
    return lambda: discovery.load_file(reference)


def _files_of(folder: Path, module: str) -> Iterator[Path]:
    place = folder.joinpath(*module.split("."))
    yield place.with_name(place.name + ".py")
    yield place / "__init__.py"


def _not_found(manifest: Manifest, message: str) -> ConfigError:
    return ConfigError(
        f"`executable` of the plugin `{manifest.name}`: {message}",
        code="plugin.not_found",
        where=manifest.locations.where(("executable",)),
        hint="name the file of the plugin's folder in which the plugin is",
    )
