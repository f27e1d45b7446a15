"""What of the host's environment a process finds in its own: next to nothing.

Source: `spec/handshake.md`, section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.pipeline import PluginConfig

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def basic_environment(environ: Mapping[str, str], granted: Iterable[str] = ()) -> dict[str, str]:
    """Return what of *environ* any plugin may see, and the variables called *granted*."""
    names = {*_PASSED_ON, *granted, *(name for name in environ if name.startswith("LC_"))}
    kept = {name: environ[name] for name in sorted(names) if name in environ}
    return {"PATH": _DEFAULT_PATH} | kept


def granted_variables(manifest: Manifest, plugin: PluginConfig) -> tuple[list[str], list[str]]:
    """Return the variables that manifest and pipeline both name, and those only asked for."""
    asked, given = manifest.permissions.env, set(plugin.permissions.env)
    return [n for n in asked if n in given], [n for n in asked if n not in given]
