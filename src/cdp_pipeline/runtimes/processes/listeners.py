"""See where processes listen, to say so when a plugin listens in the wrong place.

Reads Linux's /proc (proc(5)); elsewhere nothing is seen.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_PROCESS_GROUP = 2
"""Field of `/proc/PID/stat` after the command's name (the 5th)."""


def listening(group: int) -> list[str]:
    """Return the TCP addresses where processes of *group* listen, sorted."""
    inodes = {inode for pid in _members(group) for inode in _sockets(pid)}
    return sorted({address for inode, address, _ in _listeners("self") if inode in inodes})


def users_on(port: int) -> set[int]:
    """Return whose sockets listen on TCP *port* of this machine, as user numbers."""
    ending = f":{port}"
    return {user for _, address, user in _listeners("self") if address.endswith(ending)}


def listens_in_namespace(pid: int) -> bool | None:
    """Tell whether anybody listens on TCP in the network of *pid*; None where it is unseen."""
    try:
        return any(True for _ in _listeners(str(pid)))
    except PermissionError:
        return None


def _members(group: int) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = path.read_bytes().rpartition(b")")[2].split()
            if int(fields[_PROCESS_GROUP]) == group:
                yield path.parent.name


def _sockets(pid: str) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            target = os.readlink(path)
            if target.startswith("socket:["):
                yield target[8:-1]


def _listeners(pid: str) -> Iterator[tuple[str, str, int]]:
    """Yield inode, address and user of every listening TCP socket in the network of *pid*."""
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            lines = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()
            for fields in map(str.split, lines[1:]):
                if fields[3] == _LISTEN:
                    yield fields[9], _address(fields[1]), int(fields[7])


def _address(text: str) -> str:
    """Return `HOST:PORT` of the kernel's hexadecimal form, words in the machine's order."""
    host, _, port = text.partition(":")
    words = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if address.version == 6 else None
    shown = f"[{address}]" if address.version == 6 and mapped is None else str(mapped or address)
    return f"{shown}:{int(port, 16)}"
