r"""Name a field inside nested objects: `asset.code` is `code` in the object `asset`.

A dot that belongs to a field's name is written `\.`.
"""

from __future__ import annotations

import re
from typing import Any

from cdpplugin import ConfigInvalid, PluginError

FieldPath = tuple[str, ...]

_DOT = re.compile(r"(?<!\\)\.")


class FieldNotObject(PluginError):
    """A field is looked for, or put, inside something that is no object."""

    code = "field.not_object"


class FieldAbsent(PluginError):
    """A message has no such field."""

    code = "field.missing"


class FieldExists(PluginError):
    """A field would take the place of another one."""

    code = "field.exists"


def parse_path(text: str, *, setting: str) -> FieldPath:
    """Return the path that *text* names; *setting* is where it was written.

    Raises:
        ConfigInvalid: A part of it is empty.
    """
    parts = tuple(part.replace("\\.", ".") for part in _DOT.split(text))
    if not all(parts):
        raise ConfigInvalid(
            f"`{setting}`: a field such as `amount` or `asset.code` expected, got `{text}`",
            hint="separate names of nested fields by single dots",
        )
    return parts


def dotted(path: FieldPath) -> str:
    """Return *path* as it is written."""
    return ".".join(part.replace(".", "\\.") for part in path)


def has(payload: Any, path: FieldPath) -> bool:
    """Tell whether *payload* has the field."""
    for name in path:
        if not isinstance(payload, dict) or name not in payload:
            return False
        payload = payload[name]
    return True


def read(payload: Any, path: FieldPath) -> Any:
    """Return the field's value.

    Raises:
        FieldAbsent: There is no such field.
    """
    value = payload
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise FieldAbsent(
                f"no field `{dotted(path)}` in the payload",
                hint="check the name, or set `on_missing`",
            )
        value = value[name]
    return value


def put(payload: dict[str, Any], path: FieldPath, value: Any) -> None:
    """Set the field in *payload*, making the objects around it where there are none.

    Raises:
        FieldNotObject: Something on the way is there and is no object.
    """
    for depth, name in enumerate(path[:-1], start=1):
        inner = payload.setdefault(name, {})
        if not isinstance(inner, dict):
            raise FieldNotObject(
                f"cannot set `{dotted(path)}`: `{dotted(path[:depth])}` is no object",
                hint="remove or rename that field first, or choose another name",
            )
        payload = inner
    payload[path[-1]] = value


def take_out(payload: Any, path: FieldPath) -> Any:
    """Remove the field from *payload* and return its value.

    Raises:
        FieldAbsent: There is no such field.
    """
    value = read(payload, path)
    del (read(payload, path[:-1]) if len(path) > 1 else payload)[path[-1]]
    return value
