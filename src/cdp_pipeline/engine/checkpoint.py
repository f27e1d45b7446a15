"""Remember through which position a pipeline is durable, across crashes."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdp_pipeline.errors import StateError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A point up to which nothing has to be read again.

    Attributes:
        pipeline: Name of the pipeline.
        source: Identity of the stream (see `SourceDescription.identity`).
        network: Passphrase, or empty.
        start: The configured start of the range, in words.
        position: Everything at or before it is durable at every consumer; -1 for nothing.
        token: The source's token at or before that position.
        updated_at: When it was written, RFC 3339.
    """

    pipeline: str
    source: str
    network: str = ""
    start: str = ""
    position: int = -1
    token: bytes = field(default=b"", repr=False)
    updated_at: str = ""

    def advanced(self, position: int, token: bytes) -> Checkpoint:
        """Return the checkpoint at *position*, dated now."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return replace(self, position=position, token=token, updated_at=now)

    def require_same_stream(self, other: Checkpoint, path: Path) -> None:
        """Refuse to go on from this checkpoint in a run that is *other*'s.

        Raises:
            StateError: checkpoint.mismatch; names the field, and the way out.
        """
        for name in ("pipeline", "source", "network", "start"):
            held, wanted = getattr(self, name), getattr(other, name)
            if held != wanted:
                raise StateError(
                    f"the checkpoint of `{self.pipeline}` was made with {name} `{held}`, "
                    f"this run has `{wanted}`",
                    code="checkpoint.mismatch",
                    where=str(path),
                    hint="give the pipeline another name and another output, or start it over with "
                    "`flowctl checkpoint reset FILE`",
                )


class CheckpointStore:
    """A checkpoint in a file.

    Invariant 5: the file is replaced whole (temporary file, fsync, rename, fsync of the
    folder), so a crash leaves the old or the new one, never a torn one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Checkpoint | None:
        """Return the stored checkpoint, or None where there is none.

        Raises:
            StateError: checkpoint.unreadable; the file is not one of ours.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(str(error.strerror)) from error
        try:
            return _parse(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise self._unreadable(f"expected one of version {VERSION}, got {error}") from error

    def _unreadable(self, why: str) -> StateError:
        return StateError(
            f"the checkpoint cannot be read: {why}",
            code="checkpoint.unreadable",
            where=str(self.path),
            hint="look at the file; `flowctl checkpoint reset FILE` starts over",
        )

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the stored checkpoint, durably.

        Raises:
            StateError: checkpoint.unwritable; the old one is still there.
        """
        fields = asdict(checkpoint) | {
            "version": VERSION,
            "token": base64.b64encode(checkpoint.token).decode(),
        }
        try:
            replace_file(self.path, json.dumps(fields, indent=2).encode())
        except OSError as error:
            raise StateError(
                f"the checkpoint cannot be written: {error.strerror}",
                code="checkpoint.unwritable",
                where=str(self.path),
                hint="make room, or set XDG_STATE_HOME to a folder that can be written",
            ) from error

    def remove(self) -> bool:
        """Remove the stored checkpoint; False where there was none."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(self.path.parent)
        return True


def replace_file(path: Path, content: bytes) -> None:
    """Replace *path* by *content* at once and durably, or leave it as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".tmp")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _parse(fields: Any) -> Checkpoint:
    """Return the checkpoint that *fields* stand for.

    Raises:
        ValueError: They are not those of a checkpoint.
    """
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise ValueError("something else")
    kinds = {name: int if name == "position" else str for name in Checkpoint.__slots__}
    for name, kind in kinds.items():
        if type(fields.get(name)) is not kind:
            raise ValueError(f"`{name}`: {fields.get(name)!r}")
    known = {name: fields[name] for name in kinds}
    return Checkpoint(**known | {"token": base64.b64decode(known["token"], validate=True)})
