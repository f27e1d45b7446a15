"""Take the plugin of an author's file: run the file as a process would, and keep what it serves."""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from cdpplugin.errors import PluginError
from cdpplugin.log import take_over_logging
from cdpplugin.metadata import PluginMetadata
from cdpplugin.protocols import Plugin
from cdpplugin.serving import registering

KINDS = ("processor", "consumer")
ENCODINGS = ("json", "sep51")

_LATE = ("_strptime", "encodings.ascii", "encodings.latin_1", "encodings.utf_8_sig")
"""What the standard library imports only when it is first needed: too late in a component."""


def prepare() -> None:
    """Set up what is printed and logged, as a process does when it begins."""
    take_over_logging()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    for name in _LATE:
        with suppress(ImportError):
            importlib.import_module(name)


def load_plugin(file: Path, arguments: Sequence[str] = ()) -> Plugin:
    """Run *file* with *arguments*, as ``python FILE ARGUMENTS`` does; return what it serves.

    Raises:
        PluginError: plugin.component_unsupported; it serves no plugin, or one that cannot be
            a component.
    """
    with registering() as served:
        module = _run(file, arguments)
    found = served or _objects_in(module) or _classes_in(module)
    if len(found) != 1:
        raise _unsupported(
            f"expected one plugin in `{file.name}`, found {len(found)}",
            "end it with `cdpplugin.serve(...)`, or have one decorated function in it",
        )
    plugin: Plugin = found[0]() if isinstance(found[0], type) else found[0]
    _check(plugin.metadata())
    return plugin


def _run(file: Path, arguments: Sequence[str]) -> ModuleType:
    spec = importlib.util.spec_from_file_location("__main__", file)
    if spec is None or spec.loader is None:
        raise _unsupported(f"expected a Python file, got `{file.name}`", "name a file in `.py`")
    module = importlib.util.module_from_spec(spec)
    sys.modules["__main__"] = module
    sys.argv = [file.name, *arguments]
    spec.loader.exec_module(module)
    return module


def _objects_in(module: ModuleType) -> list[Any]:
    """Return the plugins that stand in *module*, such as decorated functions."""
    members = vars(module).values()
    return [each for each in members if not isinstance(each, type) and isinstance(each, Plugin)]


def _classes_in(module: ModuleType) -> list[Any]:
    """Return the plugins that *module* itself defines as classes."""
    members = [each for each in vars(module).values() if isinstance(each, type)]
    own = [each for each in members if each.__module__ == module.__name__]
    return [each for each in own if callable(getattr(each, "metadata", None))]


def _check(metadata: PluginMetadata) -> None:
    if metadata.type not in KINDS:
        raise _unsupported(
            f"plugin `{metadata.reference}` is a {metadata.type}, which no component can be: "
            "it is called and cannot wait",
            "run it in a process of its own",
        )
    if metadata.input_encoding not in ENCODINGS:
        raise _unsupported(
            f"plugin `{metadata.reference}` takes payloads in `{metadata.input_encoding}`, "
            "a component takes text",
            "set `input_encoding` to json or sep51, or run it in a process of its own",
        )


def _unsupported(message: str, hint: str) -> PluginError:
    return PluginError(message, code="plugin.component_unsupported", hint=hint)
