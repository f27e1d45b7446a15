"""Read a YAML file into plain data that remembers where everything stood.

Mappings have text keys, each key once; anchors, aliases and merge keys (`<<`) work;
scalars follow YAML 1.2 (`config.scalars`). Duplicate keys do not stop the reading, so
that they are reported beside the file's other faults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.config.locations import KeyPath, Locations, Position
from cdp_pipeline.config.nodes import NodeReader, compose
from cdp_pipeline.config.suggest import hint_of
from cdp_pipeline.errors import ConfigError

MOST_BYTES = 16 * 2**20
"""No configuration is larger; a file that is, is not one."""

_START = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file as plain data.

    Attributes:
        data: Mappings, lists and scalars; the root is a mapping.
        locations: Where each of them stands.
        quoted: Paths of the text values that stand in quotes or blocks.
        faults: What is wrong with it, though it could be read.
    """

    data: dict[str, Any] = field(repr=False)
    locations: Locations
    quoted: frozenset[KeyPath] = frozenset()
    faults: tuple[ConfigError, ...] = ()


def read_document(path: Path | str) -> Document:
    """Return the YAML file at *path*.

    Raises:
        ConfigError: It cannot be opened (`config.unreadable`) or read (`config.syntax`).
    """
    file = Path(path)
    try:
        size_bytes = file.stat().st_size
        if size_bytes > MOST_BYTES:
            raise _unreadable(
                path, f"`{path}` has {size_bytes} bytes, expected at most {MOST_BYTES}"
            )
        return parse_document(file.read_bytes(), str(path))
    except (OSError, ValueError) as error:
        raise _unopened(path, error) from error


def parse_document(content: bytes | str, file: str) -> Document:
    """Return the YAML text *content*, to be named *file* in errors.

    Raises:
        ConfigError: `config.syntax`: not UTF-8, not YAML, empty, or not a mapping.
    """
    text = _decoded(content, file) if isinstance(content, bytes) else content
    root = compose(text.removeprefix("\ufeff"), file)
    if root is None:
        raise _syntax(file, "the file is empty, expected a mapping")
    reader = NodeReader(file)
    data = reader.read(root)
    if not isinstance(data, dict):
        place = reader.values.get((), Position(1, 1))
        raise _syntax(file, f"expected a mapping, got {_kind(data)}", place)
    locations = Locations(file, reader.values, reader.keys)
    return Document(data, locations, frozenset(reader.quoted), tuple(reader.faults))


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        start_of_line = before.rpartition(b"\n")[2].decode("utf-8")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        place = Position(line, len(start_of_line) + 1)
        raise _syntax(file, message, place, "save the file as UTF-8") from error


def _syntax(file: str, message: str, place: Position = _START, hint: str = "") -> ConfigError:
    where = f"{file}:{place.line}:{place.column}"
    return ConfigError(message, code="config.syntax", where=where, hint=hint)


def _kind(data: Any) -> str:
    return "a list" if isinstance(data, list) else "a single value"


def _unreadable(path: Path | str, message: str, hint: str = "") -> ConfigError:
    return ConfigError(message, code="config.unreadable", hint=hint, where=str(path))


def _unopened(path: Path | str, error: OSError | ValueError) -> ConfigError:
    if isinstance(error, FileNotFoundError):
        return _unreadable(path, f"no file `{path}`", _near_file(Path(path)))
    if isinstance(error, IsADirectoryError):
        return _unreadable(path, f"`{path}` is a folder, expected a file")
    if isinstance(error, PermissionError):
        return _unreadable(path, f"`{path}` may not be read", "give yourself read permission")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return _unreadable(path, f"`{path}` cannot be read: {reason}")


def _near_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return f"there is no folder `{path.parent}`"
    return hint_of(path.name, [name for name in names if name.endswith((".yaml", ".yml"))])
