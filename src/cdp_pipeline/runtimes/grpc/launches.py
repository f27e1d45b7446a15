"""What this user's hosts have launched: a private socket folder and a record for each.

    $XDG_RUNTIME_DIR/cdp/        (or /tmp/cdp-UID where that is absent or too long)
        4f1c22d09be1.json        who launched what
        4f1c22d09be1/            only this user may enter
            plugin.sock
            tmp/                 for the plugin's temporary files

A record is written before anything is launched, so nothing is ever without one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cdp_pipeline.errors import StateError
from cdp_pipeline.runtimes.processes.liveness import ProcessIdentity, own_identity

SOCKET_NAME = "plugin.sock"
_PATH_LIMIT_BYTES = 100
"""A Unix socket's path has room for 107 bytes on Linux and 103 on macOS (unix(7))."""
_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of a plugin.

    Attributes:
        id: Names it.
        plugin: `name@version`.
        folder: Its socket folder.
        record: The file that says who launched it.
    """

    id: str
    plugin: str
    folder: Path
    record: Path

    @property
    def socket(self) -> Path:
        """Where the plugin listens."""
        return self.folder / SOCKET_NAME

    @property
    def temporary(self) -> Path:
        """Where it may put temporary files."""
        return self.folder / "tmp"

    def note(self, **facts: Any) -> None:
        """Write the record: this host, the plugin, and *facts*."""
        text = {"plugin": self.plugin, "host": own_identity().as_record(), **facts}
        draft = self.record.with_suffix(".new")
        draft.write_text(json.dumps(text), encoding="utf-8")
        draft.replace(self.record)

    def close(self) -> None:
        """Remove folder and record."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.record.unlink()


@dataclass(frozen=True, slots=True)
class LaunchRecord:
    """A record as it was found.

    Attributes:
        launch: The launch.
        host: Who launched it; None where the record cannot be read.
        keeper: The process that keeps the plugin; None where there is none.
        groups: The folders of its control group.
    """

    launch: Launch
    host: ProcessIdentity | None
    keeper: ProcessIdentity | None
    groups: Sequence[str] = ()


class Launches:
    """The folder of this user's launches."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @cached_property
    def folder(self) -> Path:
        """The folder, made where it was absent; see `runtime_folder`."""
        return runtime_folder(self._environ)

    def begin(self, plugin: str) -> Launch:
        """Return a new launch of *plugin*, its folder made and its record written."""
        launch = self._launch(secrets.token_hex(_ID_BYTES), plugin)
        launch.note()
        launch.folder.mkdir(mode=0o700)
        return launch

    def records(self) -> Iterator[LaunchRecord]:
        """Yield what is on record, of this host and of others."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                found = None
            record = found if isinstance(found, dict) else {}
            yield LaunchRecord(
                self._launch(path.stem, str(record.get("plugin", ""))),
                ProcessIdentity.read(record.get("host")),
                ProcessIdentity.read(record.get("keeper")),
                _paths(record.get("groups")),
            )

    def _launch(self, launch_id: str, plugin: str) -> Launch:
        folder = self.folder / launch_id
        return Launch(launch_id, plugin, folder, self.folder / f"{launch_id}.json")


def _paths(found: Any) -> list[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of launches, made where it was absent.

    Raises:
        StateError: state.unwritable or state.unsafe; it cannot be made, or others may enter.
    """
    folder = _chosen(environ)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise StateError(
            f"the folder for plugin sockets cannot be made: {error.strerror}",
            code="state.unwritable",
            where=str(folder),
            hint="set XDG_RUNTIME_DIR to a folder that can be written",
        ) from error
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid != os.getuid():
        raise StateError(
            "expected a folder for plugin sockets that only this user can enter",
            code="state.unsafe",
            where=str(folder),
            hint="remove it, or set XDG_RUNTIME_DIR to a folder of this user",
        )
    return folder


def _chosen(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base) / "cdp"
    socket = folder / ("0" * 2 * _ID_BYTES) / SOCKET_NAME
    short = len(os.fsencode(socket)) <= _PATH_LIMIT_BYTES
    if base.startswith("/") and short and os.access(base, os.W_OK | os.X_OK):
        return folder
    return Path(f"/tmp/cdp-{os.getuid()}")  # noqa: S108 - checked to be this user's own
