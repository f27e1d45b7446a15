"""What a plugin finds in its environment to meet its host.

Source: `spec/handshake.md`, section 1.
"""

from __future__ import annotations

import secrets

from cdpplugin.wire import PROTOCOL

OLDEST_PROTOCOL = max(1, PROTOCOL - 2)
"""The oldest protocol version whose plugins this host works with."""


def new_token() -> str:
    """Return a secret for one launch, 64 hex digits."""
    return secrets.token_hex(32)


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
