"""Where a host listens: what the user asked for, and what its state folder says of it.

$XDG_STATE_HOME/cdp/<pipeline>/
    admin.json      who listens where, only this user may read it
    admin.sock      the Unix socket; in the runtime folder where its path would be too long
    admin-token     the token of a TCP listener
"""

from __future__ import annotations

import ipaddress
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from cdp_pipeline.errors import UsageError
from cdp_pipeline.runtimes.processes.liveness import ProcessIdentity

RECORD_NAME = "admin.json"
SOCKET_NAME = "admin.sock"
TOKEN_NAME = "admin-token"  # noqa: S105 - the name of a file
_HINT = "`unix`, `off`, or a loopback address such as `127.0.0.1:0` (0 takes a free port)"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a host is to listen.

    Attributes:
        kind: `unix`, `tcp` or `off`.
        host: A loopback address, for `tcp`.
        port: 0 for any that is free.
    """

    kind: Literal["unix", "tcp", "off"] = "unix"
    host: str = ""
    port: int = 0


def parse_listen(text: str) -> Listen:
    """Return what *text*, the value of `--admin`, asks for.

    Raises:
        UsageError: admin.address_invalid; it is none of `unix`, `off` and a loopback address
            with its port.
    """
    if text == "unix":
        return Listen("unix")
    if text == "off":
        return Listen("off")
    host, colon, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not colon or not _is_port(port) or not _is_loopback(host):
        raise UsageError(
            f"expected a place that only this machine reaches for the admin API, got `{text}`",
            code="admin.address_invalid",
            hint=_HINT,
        )
    return Listen("tcp", host, int(port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 1 << 16


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a host listens.

    Attributes:
        pipeline: The pipeline it runs.
        process: The host.
        socket: Path of its Unix socket, or empty.
        address: `host:port` of its TCP listener, or empty.
        token_file: The file with the token for *address*, or empty.
    """

    pipeline: str
    process: ProcessIdentity
    socket: str = ""
    address: str = ""
    token_file: str = ""

    def write(self, folder: Path) -> None:
        """Write it to a state folder."""
        record = {name: value for name, value in asdict(self).items() if value}
        write_private(folder / RECORD_NAME, json.dumps(record, indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what a state folder says, or None where it says nothing that can be used."""
        try:
            found = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return cls._of(found) if isinstance(found, dict) else None

    @classmethod
    def _of(cls, record: dict[str, Any]) -> Self | None:
        process = ProcessIdentity.read(record.get("process"))
        names = ("pipeline", "socket", "address", "token_file")
        texts = {name: str(record.get(name, "")) for name in names}
        if process is None or not (texts["socket"] or texts["address"]):
            return None
        return cls(process=process, **texts)

    def remove(self, folder: Path) -> None:
        """Remove it from a state folder, socket and token too."""
        for path in (str(folder / RECORD_NAME), self.socket, self.token_file):
            if path:
                with suppress(OSError):
                    os.unlink(path)


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all; only this user may read it."""
    draft = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
