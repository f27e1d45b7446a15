"""Find native plugins: by entry point, or in a Python file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from cdp_pipeline.errors import ArtifactError, ConfigError
from cdpplugin import Plugin
from cdpplugin.serving import registering

GROUP = "cdp.plugins"
_PREFIX = "cdp_native_"
_serial = itertools.count(1)


def installed() -> Mapping[str, EntryPoint]:
    """Return the native plugins installed in this environment, by type name.

    Raises:
        ConfigError: plugin.duplicate_type; two distributions offer one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise ConfigError(
                f"two installed distributions offer the plugin type `{point.name}`: "
                f"`{other.value}` and `{point.value}`",
                code="plugin.duplicate_type",
                hint="uninstall one of them",
            )
    return found


def load_installed(point: EntryPoint) -> Plugin:
    """Return a new plugin object of an entry point.

    Raises:
        ArtifactError: plugin.load_failed; its module cannot be imported.
    """
    try:
        with registering():
            member = point.load()
        return _instance(member, point.value)
    except ArtifactError:
        raise
    except (Exception, SystemExit) as error:
        raise _load_failed(point.value, error) from error


def load_file(reference: str) -> Plugin:
    """Return a new plugin object from a Python file, `FILE.py` or `FILE.py:NAME`.

    A file that serves its plugin when it is run (`cdpplugin.serve`) hands it over here.
    Each call runs the file anew, and the modules beside it that it imports, so that two
    stages never share an object. Modules beside it must be imported while the file is run.

    Raises:
        ArtifactError: plugin.not_found, plugin.load_failed or plugin.ambiguous.
    """
    path_text, _, name = reference.partition(".py:")
    path = Path(path_text + ".py" if name else path_text)
    if not path.is_file():
        raise ArtifactError(
            f"expected a Python file at `{path}`, found none",
            code="plugin.not_found",
            hint="`path` resolves against the pipeline file's folder",
        )
    try:
        with registering() as served:
            module = _run(path)
        return _named(module, path, name) if name else _only(module, path, served)
    except ArtifactError:
        raise
    except (Exception, SystemExit) as error:
        raise _load_failed(str(path), error) from error


def _run(path: Path) -> ModuleType:
    module_name = f"{_PREFIX}{path.stem}_{next(_serial)}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent.resolve())
    known = set(sys.modules)
    sys.modules[module_name] = module
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    finally:
        sys.path.remove(folder)
        for name in _beside(folder, set(sys.modules) - known):
            del sys.modules[name]
    return module


def _beside(folder: str, names: set[str]) -> list[str]:
    """Return those of the modules *names* that stand in *folder*: another file's are its own."""
    roots = set()
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if "." not in name and file and not name.startswith(_PREFIX):
            path = Path(file).resolve()
            home = path.parent.parent if path.name == "__init__.py" else path.parent
            if str(home) == folder:
                roots.add(name)
    return [name for name in names if name.partition(".")[0] in roots]


def _named(module: ModuleType, path: Path, name: str) -> Plugin:
    if not hasattr(module, name):
        raise ArtifactError(
            f"`{path}` has no `{name}`", code="plugin.not_found", hint="name a plugin in that file"
        )
    return _instance(getattr(module, name), f"{path}:{name}")


def _only(module: ModuleType, path: Path, served: Sequence[Plugin]) -> Plugin:
    """Return the one plugin of *module*: the one it serves, an object, or a class of its own."""
    members = vars(module).items()
    objects = {name: m for name, m in members if _is_plugin_object(m)}
    classes = {name: m for name, m in members if _is_own_plugin_class(m, module)}
    found = {plugin.metadata().name: plugin for plugin in served} or objects or classes
    if len(found) != 1:
        names = ", ".join(f"`{name}`" for name in found) or "none"
        raise ArtifactError(
            f"expected one plugin in `{path}`, found {names}",
            code="plugin.ambiguous" if found else "plugin.not_found",
            hint=f"name it: `path: {path.name}:NAME`"
            if found
            else "decorate a function with `cdpplugin.processor`, `consumer` or `source`, "
            "or end the file with `cdpplugin.serve`",
        )
    return _instance(next(iter(found.values())), str(path))


def _is_plugin_object(member: Any) -> bool:
    return not inspect.isclass(member) and isinstance(member, Plugin)


def _is_own_plugin_class(member: Any, module: ModuleType) -> bool:
    return (
        inspect.isclass(member)
        and member.__module__ == module.__name__
        and callable(getattr(member, "metadata", None))
    )


def _instance(member: Any, where: str) -> Plugin:
    plugin = member() if inspect.isclass(member) else member
    if not isinstance(plugin, Plugin):
        raise ArtifactError(
            f"`{where}` is not a plugin: expected metadata, configure, start, stop and health",
            code="plugin.load_failed",
            hint="derive it from cdpplugin.Base, or use a cdpplugin decorator",
        )
    return plugin


def _load_failed(where: str, error: BaseException) -> ArtifactError:
    return ArtifactError(
        f"`{where}` cannot be loaded: {type(error).__name__}: {error}",
        code="plugin.load_failed",
        hint="run the file with python to see the whole traceback",
    )
