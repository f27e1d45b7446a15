"""Find and load the host's settings; variables win over the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdp_pipeline.config.building import build, model_schema, without_empty_keys
from cdp_pipeline.config.document import read_document
from cdp_pipeline.config.environment import FilledDocument, fill_document, with_values
from cdp_pipeline.config.expectation import resolved
from cdp_pipeline.config.locations import KeyPath, Locations
from cdp_pipeline.config.paths import config_folder, data_folder, resolve_path
from cdp_pipeline.config.settings import HostSettings, TrustConfig

FILE_NAME = "flowctl.yaml"
_PREFIX = "FLOWCTL_"
_DEPTH = 2


def load_settings(
    path: Path | str | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> HostSettings:
    """Return the host's settings.

    Args:
        path: The file named on the command line; it must exist.
        environ: Environment variables.
        folder: The working folder, where `flowctl.yaml` is looked for.

    Raises:
        ConfigError: A file that was named is missing, or a setting is wrong; `where` is the
            place in the file, or the variable.
    """
    here = folder or Path.cwd()
    file = settings_file(path, environ, here)
    document = _document(file, environ)
    values, names = _overrides(environ)
    overlaid = with_values(document, values, names)
    settings, settled = build(HostSettings, _with_lists(overlaid, values))
    complete = _complete(settings, settled, here, environ)
    complete._document = settled
    return complete


def settings_file(path: Path | str | None, environ: Mapping[str, str], folder: Path) -> Path | None:
    """Return the settings file to be read, or None where there is none."""
    if path is not None:
        return Path(path)
    if environ.get("FLOWCTL_CONFIG"):
        return Path(environ["FLOWCTL_CONFIG"])
    candidates = (folder / FILE_NAME, config_folder(environ) / FILE_NAME)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def variables() -> Mapping[str, KeyPath]:
    """Return every `FLOWCTL_*` variable that sets something, and the key it sets."""
    schema = model_schema(HostSettings)
    return {
        _PREFIX + "_".join(map(str, path)).upper(): path for path in _leaves(schema, schema, ())
    }


def _leaves(schema: Any, root: Mapping[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    properties = resolved(schema, root).get("properties")
    if properties is None:
        yield path
        return
    for key, inner in properties.items():
        yield from _leaves(inner, root, (*path, key))


def _document(file: Path | None, environ: Mapping[str, str]) -> FilledDocument:
    if file is None:
        return FilledDocument({}, Locations("<defaults>"))
    filled = fill_document(read_document(file), environ)
    return replace(filled, data=without_empty_keys(filled.data, _DEPTH))


def _overrides(
    environ: Mapping[str, str],
) -> tuple[dict[KeyPath, str], dict[KeyPath, str]]:
    known = variables()
    values = {path: environ[name] for name, path in known.items() if environ.get(name)}
    return values, {path: f"${name}" for name, path in known.items() if path in values}


def _with_lists(document: FilledDocument, values: Mapping[KeyPath, str]) -> FilledDocument:
    """Return *document* with texts of variables split where a list is expected."""
    data = dict(document.data)
    readings = dict(document.readings)
    for path in (("plugin_folders",), ("trust", "keys")):
        if path in values:
            readings.pop(path, None)
            entries = [entry for entry in values[path].split(os.pathsep) if entry]
            if len(path) == 1:
                data[path[0]] = entries
            else:
                data[path[0]] = {**data[path[0]], path[1]: entries}
    return replace(document, data=data, readings=readings)


def _complete(
    settings: HostSettings, document: FilledDocument, here: Path, environ: Mapping[str, str]
) -> HostSettings:
    def paths(key: KeyPath, texts: tuple[str, ...]) -> tuple[str, ...]:
        base = here if key in document.locations.named else here / Path(document.file).parent
        return tuple(resolve_path(text, base, environ) for text in texts)

    folders = paths(("plugin_folders",), settings.plugin_folders)
    keys = paths(("trust", "keys"), settings.trust.keys)
    trust = TrustConfig(signatures=settings.trust.signatures, keys=keys)
    default = (str(data_folder(environ) / "plugins"),)
    return settings.model_copy(update={"plugin_folders": folders or default, "trust": trust})
