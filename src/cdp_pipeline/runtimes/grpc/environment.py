"""What a plugin finds in its environment: the handshake, and next to nothing of the host's.

Source: `spec/handshake.md`, section 1.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.pipeline import PluginConfig
from cdpplugin.wire import PROTOCOL

OLDEST_PROTOCOL = max(1, PROTOCOL - 2)
"""The oldest protocol version whose plugins this host works with."""

_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def new_token() -> str:
    """Return a secret for one launch, 64 hex digits."""
    return secrets.token_hex(32)


def basic_environment(environ: Mapping[str, str], granted: Iterable[str] = ()) -> dict[str, str]:
    """Return what of *environ* any plugin may see, and the variables called *granted*."""
    names = {*_PASSED_ON, *granted, *(name for name in environ if name.startswith("LC_"))}
    kept = {name: environ[name] for name in sorted(names) if name in environ}
    return {"PATH": _DEFAULT_PATH} | kept


def handshake_variables(
    name: str, *, socket: str, port: int, token: str, max_message_bytes: int
) -> dict[str, str]:
    """Return the variables by which a plugin and its host find each other."""
    return {
        "PLUGIN_MODE": "grpc",
        "PLUGIN_NAME": name,
        "PLUGIN_SOCKET": socket,
        "PLUGIN_PORT": str(port),
        "PLUGIN_TOKEN": token,
        "PLUGIN_PROTOCOL": f"{OLDEST_PROTOCOL}-{PROTOCOL}",
        "PLUGIN_MAX_MESSAGE_BYTES": str(max_message_bytes),
    }


def granted_variables(manifest: Manifest, plugin: PluginConfig) -> tuple[list[str], list[str]]:
    """Return the variables that manifest and pipeline both name, and those only asked for."""
    asked, given = manifest.permissions.env, set(plugin.permissions.env)
    return [n for n in asked if n in given], [n for n in asked if n not in given]
