"""A free port on the loopback, held for one plugin so that nobody else is given it."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"


class HeldPort:
    """A port that a plugin can listen on, and that the system gives to nobody else.

    The socket is bound with `SO_REUSEADDR` and never listens: a plugin, whose server sets
    the same, can still bind and listen, while the system's choice of free ports leaves it
    out. So two hosts on one machine never meet on a port.

    Attributes:
        number: The port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((LOOPBACK, 0))
        self.number: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        """`HOST:PORT`."""
        return f"{LOOPBACK}:{self.number}"

    @property
    def addresses(self) -> tuple[str, str]:
        """Where `localhost` may lead: for some languages it is IPv6 first."""
        return self.address, f"[::1]:{self.number}"

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()
