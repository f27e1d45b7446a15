"""Where files are: those a pipeline names, and those the host keeps for it.

A path in a file resolves against that file's folder, one that comes from an environment
variable against the current folder, where it was typed. State is
``$XDG_STATE_HOME/cdp/<pipeline>``, caches are ``$XDG_CACHE_HOME/cdp``.
Source: XDG Base Directory Specification 0.8 (a relative XDG path is to be ignored).
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cdp_pipeline.config.annotations import is_path, marked_paths
from cdp_pipeline.config.fitting import replaced
from cdp_pipeline.config.locations import KeyPath

PIPELINE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""A pipeline's name is a folder's name, short enough for a socket inside it."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(dns|unix|ipv4|ipv6):")
_ENTRY_POINT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(?<!\.py):[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d+")
_FOLDER = "cdp"


def state_folder(pipeline: str, environ: Mapping[str, str]) -> Path:
    """Return the folder of a pipeline's checkpoint, lock, admin socket and token."""
    return states_folder(environ) / pipeline


def states_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder that holds the state folder of every pipeline."""
    return _base(environ, "XDG_STATE_HOME", ".local/state")


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of compiled modules and plugin environments; it may be deleted."""
    return _base(environ, "XDG_CACHE_HOME", ".cache")


def config_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's `flowctl.yaml`."""
    return _base(environ, "XDG_CONFIG_HOME", ".config")


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of what the user installs, plugins first of all."""
    return _base(environ, "XDG_DATA_HOME", ".local/share")


def resolve_path(text: str, base_folder: Path, environ: Mapping[str, str]) -> str:
    """Return *text* as an absolute path; `~` is the home folder.

    A URL (`s3://...`, `dns:///...`), `-` (standard input or output) and an empty text stay.
    """
    if text in ("", "-") or _SCHEME.match(text):
        return text
    if text == "~" or text.startswith("~/"):
        return str(_home(environ) / text[2:])
    return str(_normal(base_folder / text))


def resolve_plugin_path(text: str, base_folder: Path, environ: Mapping[str, str]) -> str:
    """Return a plugin's *text* resolved.

    A Python entry point (`module:attribute`) and an address (`host:port`) stay.
    """
    if _ENTRY_POINT.fullmatch(text) or _HOST_AND_PORT.fullmatch(text):
        return text
    return resolve_path(text, base_folder, environ)


def resolve_paths(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    folder_of: Callable[[KeyPath], Path],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """Return *config* with every text that *schema* marks `"format": "path"` resolved.

    Args:
        config: A component's configuration.
        schema: Its JSON Schema.
        folder_of: The folder against which the value at a path in *config* resolves.
        environ: For `~`.
    """
    resolved: dict[str, Any] = dict(config)
    for path in marked_paths(config, schema, is_path):
        value: Any = config
        for part in path:
            value = value[part]
        if isinstance(value, str):
            resolved = replaced(resolved, path, resolve_path(value, folder_of(path), environ))
    return resolved


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    chosen = environ.get(variable, "")
    folder = Path(chosen) if chosen.startswith("/") else _home(environ) / default
    return folder / _FOLDER


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home) if home else Path.home()


def _normal(path: Path) -> Path:
    """Return *path* absolute and without `.` and `..`, symbolic links left as they are."""
    return Path(os.path.normpath(path.absolute()))
