"""Know where in a file each key and value stands, for errors found long after reading.

A key path is a tuple of keys and list indices: ``("pipeline", 2, "config", "path")``.
Lines and columns count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

KeyPath = tuple[str | int, ...]


class Position(NamedTuple):
    """A place in a text; both numbers count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Locations:
    """The places of one file's keys and values.

    Attributes:
        file: The file as the user named it.
        values: Where each value starts.
        keys: Where each mapping key starts.
        named: Values that came from elsewhere, and what to call that place.
    """

    file: str
    values: Mapping[KeyPath, Position] = field(default_factory=dict, repr=False)
    keys: Mapping[KeyPath, Position] = field(default_factory=dict, repr=False)
    named: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Return ``file:line:column`` of the value at *path*, or of its nearest parent."""
        if path in self.named:
            return self.named[path]
        if path in self.values:
            return self._text(self.values[path])
        return self.where_key(path)

    def where_key(self, path: KeyPath) -> str:
        """Return ``file:line:column`` of the key at *path*, or of its nearest parent."""
        for length in range(len(path), -1, -1):
            part = path[:length]
            if part in self.named:
                return self.named[part]
            position = self.keys.get(part) or self.values.get(part)
            if position is not None:
                return self._text(position)
        return self.file

    def _text(self, position: Position) -> str:
        return f"{self.file}:{position.line}:{position.column}"


def dotted(path: KeyPath) -> str:
    """Return *path* as people write it: ``pipeline[2].config.path``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
