"""Open the socket on which a host listens: nobody but this user is to reach it.

A Unix socket is bound and given its permissions before it listens, so there is no moment in
which somebody else could connect. One of a host that died is removed: the lock of the run says
that no other host of this pipeline lives.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cdp_pipeline.admin.endpoint import (
    RECORD_NAME,
    SOCKET_NAME,
    TOKEN_NAME,
    Endpoint,
    Listen,
    write_private,
)
from cdp_pipeline.runtimes.grpc.launches import runtime_folder
from cdp_pipeline.runtimes.processes.liveness import own_identity

_PATH_LIMIT_BYTES = 103
"""What a Unix socket's path has room for on macOS; Linux has room for 107 (unix(7))."""
_BACKLOG = 64
_TOKEN_BYTES = 32


def open_unix(
    pipeline: str, folder: Path, environ: Mapping[str, str]
) -> tuple[socket.socket, Endpoint]:
    """Return a listening Unix socket, in *folder* if it fits there.

    Raises:
        OSError: It cannot be made.
        StateError: There is no private folder for it.
    """
    path = _socket_path(folder, environ)
    _remove_socket(path)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.bind(str(path))
        path.chmod(0o600)
        opened.listen(_BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened, Endpoint(pipeline=pipeline, process=own_identity(), socket=str(path))


def open_tcp(pipeline: str, folder: Path, listen: Listen) -> tuple[socket.socket, Endpoint]:
    """Return a listening TCP socket; its token is written to *folder*.

    Raises:
        OSError: The address is taken, or the token cannot be written.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((listen.host, listen.port))
        write_private(folder / TOKEN_NAME, secrets.token_hex(_TOKEN_BYTES))
        opened.listen(_BACKLOG)
    except OSError:
        opened.close()
        raise
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return opened, Endpoint(
        pipeline=pipeline,
        process=own_identity(),
        address=f"{host}:{opened.getsockname()[1]}",
        token_file=str(folder / TOKEN_NAME),
    )


def _socket_path(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return where the socket is to be: in a folder that only this user may enter."""
    path = folder / SOCKET_NAME
    fits = len(os.fsencode(path)) <= _PATH_LIMIT_BYTES
    if fits and not folder.stat().st_mode & 0o077:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return runtime_folder(environ) / f"admin-{name}.sock"


def remove_stale(folder: Path) -> None:
    """Remove what a host that died has left of its listener in or for *folder*."""
    stale = Endpoint.read(folder)
    for path in (folder / SOCKET_NAME, *([Path(stale.socket)] if stale else [])):
        _remove_socket(path)
    for name in (RECORD_NAME, TOKEN_NAME):
        with suppress(OSError):
            (folder / name).unlink()


def _remove_socket(path: Path) -> None:
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
