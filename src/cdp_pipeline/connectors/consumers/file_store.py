"""Publish whole files in a local folder or an object store: all of a file, or nothing.

A local file is written under a hidden name, synced, renamed and its folder synced; in an
object store one put does the same. Keys are relative to the root, with `/` between names.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from cdp_pipeline.connectors.consumers.storage_errors import storage_errors
from cdp_pipeline.connectors.stellar.lake.address import (
    StoreOptions,
    open_object_store,
    parse_address,
)
from cdp_pipeline.connectors.stellar.lake.errors import LakeError
from cdpplugin import ConfigInvalid

Fill = Callable[[IO[bytes]], None]

_TEMPORARY = ".tmp"


class FileStore(Protocol):
    """Where files are published.

    Attributes:
        address: The root, as it may be shown.
    """

    address: str

    def keys(self, folder: str) -> list[str]:
        """Return the keys of all files below *folder*, those still being written left out."""

    def read(self, key: str) -> bytes | None:
        """Return a file's bytes, or None where there is none."""

    def publish(self, key: str, fill: Fill) -> None:
        """Make a file of what *fill* writes, in place of any other at *key*."""

    def delete(self, key: str) -> None:
        """Delete a file, if it is there."""

    def sweep(self, folder: str, mark: str) -> None:
        """Delete the half-written files of a killed writer, known by *mark* in their names."""


class LocalFiles:
    """Files in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.address = str(root)
        self._root = root

    def keys(self, folder: str) -> list[str]:
        with storage_errors(self.address):
            found = _walk(self._root / folder)
            return [key for key in map(self._key, found) if not key.endswith(_TEMPORARY)]

    def read(self, key: str) -> bytes | None:
        with storage_errors(self.address):
            try:
                return (self._root / key).read_bytes()
            except FileNotFoundError:
                return None

    def publish(self, key: str, fill: Fill) -> None:
        target = self._root / key
        with storage_errors(str(target)):
            make_folder(target.parent)
            _write(target, fill)

    def delete(self, key: str) -> None:
        target = self._root / key
        with storage_errors(str(target)):
            target.unlink(missing_ok=True)
            self._prune(target.parent)

    def _prune(self, folder: Path) -> None:
        """Delete folders that deleting has emptied, up to the root."""
        while folder != self._root and self._root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def sweep(self, folder: str, mark: str) -> None:
        with storage_errors(self.address):
            for path in _walk(self._root / folder):
                if path.name.endswith(_TEMPORARY) and mark in path.name:
                    path.unlink(missing_ok=True)

    def _key(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, onerror=_raise_unless_missing):
        for name in names:
            yield Path(parent, name)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they outlive a crash of the machine."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(target: Path, fill: Fill) -> None:
    temporary = target.with_name(f".{target.name}{_TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(target.parent)


def write_file(target: Path, content: bytes) -> None:
    """Put a small file in place at once and durably; its folder must exist."""
    _write(target, _filler(content))


def put_bytes(files: FileStore, key: str, content: bytes) -> None:
    """Publish a small file."""
    files.publish(key, _filler(content))


def _filler(content: bytes) -> Fill:
    def fill(file: IO[bytes]) -> None:
        file.write(content)

    return fill


class ObjectFiles:
    """Files in an object store. *store* is one of obstore's."""

    def __init__(self, address: str, store: Any) -> None:
        self.address = address
        self._store = store

    def keys(self, folder: str) -> list[str]:
        import obstore

        with storage_errors(self.address):
            pages = obstore.list(self._store, f"{folder}/" if folder else None)
            return [str(found["path"]) for page in pages for found in page]

    def read(self, key: str) -> bytes | None:
        import obstore

        with storage_errors(self.address):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def publish(self, key: str, fill: Fill) -> None:
        import obstore

        file = io.BytesIO()
        fill(file)
        with storage_errors(f"{self.address}/{key}"):
            # One request, so that no part of a file can be left behind.
            obstore.put(self._store, key, file.getvalue(), use_multipart=False)

    def delete(self, key: str) -> None:
        import obstore

        with storage_errors(f"{self.address}/{key}"):
            try:
                obstore.delete(self._store, key)
            except FileNotFoundError:
                return

    def sweep(self, folder: str, mark: str) -> None:
        """Do nothing: a put that did not end has left nothing."""


def open_files(path: str, options: StoreOptions) -> FileStore:
    """Open the place at *path*, a folder or an `s3://`, `gs://` or `az://` URL.

    Nothing is touched and nothing is sent yet.

    Raises:
        ConfigInvalid: It is of no kind that can be written to.
    """
    try:
        address = parse_address(path)
        if address.kind == "local":
            return LocalFiles(Path(address.parts.path))
        if address.kind != "http":
            return ObjectFiles(address.text, open_object_store(address, options))
    except LakeError as error:
        raise ConfigInvalid(f"`path`: {error.message}", hint=error.hint) from error
    raise ConfigInvalid(
        f"`path`: expected a folder, `s3://`, `gs://` or `az://`, got `{address.text}`",
        hint="a web server cannot be written to",
    )
