"""Where a plugin listens and under which limits: its environment, see `spec/handshake.md`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdpplugin.errors import PluginError

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_MAX_MESSAGE_BYTES = 256 << 20


class EnvironmentInvalid(PluginError):
    """What stands in the environment cannot be used."""

    code = "plugin.environment_invalid"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plugin listens.

    Attributes:
        address: As gRPC takes it: `unix:PATH` or `HOST:PORT`.
        token: What every call must carry on TCP, or empty.
        max_message_bytes: Largest message, either way.
        lifeline: Whether end-of-file on standard input means that the host is gone.
    """

    address: str
    token: str = ""
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    lifeline: bool = False

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket."""
        return self.address.startswith("unix:")


def place_of(environ: Mapping[str, str]) -> Place:
    """Return where a plugin with this environment listens.

    A Unix socket wins over an address, an address over a port on the loopback.

    Raises:
        EnvironmentInvalid: The port or the limit is not a number in its range.
    """
    socket = environ.get("PLUGIN_SOCKET", "")
    limit = _number(environ, "PLUGIN_MAX_MESSAGE_BYTES", DEFAULT_MAX_MESSAGE_BYTES, 2**31 - 1)
    if socket:
        launched = environ.get("PLUGIN_MODE") == "grpc"
        return Place(f"unix:{socket}", max_message_bytes=limit, lifeline=launched)
    return Place(_tcp(environ), environ.get("PLUGIN_TOKEN", ""), limit)


def _tcp(environ: Mapping[str, str]) -> str:
    if address := environ.get("PLUGIN_ADDRESS", ""):
        return address
    if environ.get("PLUGIN_PORT"):
        return f"127.0.0.1:{_number(environ, 'PLUGIN_PORT', 0, 65535)}"
    return DEFAULT_ADDRESS


def _number(environ: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= largest:
        raise EnvironmentInvalid(f"expected `{name}` to be from 1 to {largest}, got `{text}`")
    return int(text)
