"""Find the values whose JSON Schema carries a mark: secrets, paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cdp_pipeline.config.expectation import resolved
from cdp_pipeline.config.locations import KeyPath

Mark = Callable[[Mapping[str, Any]], bool]
_DEEPEST = 32


def is_secret(schema: Mapping[str, Any]) -> bool:
    """Return whether *schema* marks its value as secret."""
    return (
        schema.get("secret") is True
        or schema.get("writeOnly") is True
        or schema.get("format") == "password"
    )


def is_path(schema: Mapping[str, Any]) -> bool:
    """Return whether *schema* says that its value is a file or folder."""
    return schema.get("format") in ("path", "file-path", "directory-path")


def marked_paths(value: Any, schema: Mapping[str, Any], mark: Mark) -> frozenset[KeyPath]:
    """Return the paths inside *value* whose part of *schema* is marked."""
    return frozenset(_walk(value, schema, schema, mark, ()))


def _walk(
    value: Any, schema: Any, root: Mapping[str, Any], mark: Mark, path: KeyPath, depth: int = 0
) -> Iterator[KeyPath]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return
    if mark(schema):
        yield path
    target = resolved(schema, root)
    if target is not schema:
        yield from _walk(value, target, root, mark, path, depth + 1)
        return
    for keyword in ("anyOf", "oneOf", "allOf"):
        for branch in _listed(schema.get(keyword)):
            yield from _walk(value, branch, root, mark, path, depth + 1)
    for keyword in ("then", "else"):
        yield from _walk(value, schema.get(keyword), root, mark, path, depth + 1)
    for key, item, inner in _children(value, schema):
        yield from _walk(item, inner, root, mark, (*path, key), depth + 1)


def _children(value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str | int, Any, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from ((key, item, inner) for inner in _of_key(str(key), schema))
    elif isinstance(value, list):
        prefix = _listed(schema.get("prefixItems"))
        for index, item in enumerate(value):
            yield index, item, prefix[index] if index < len(prefix) else schema.get("items")


def _of_key(key: str, schema: Mapping[str, Any]) -> Iterator[Any]:
    properties = schema.get("properties", {})
    if key in properties:
        yield properties[key]
        return
    patterns = schema.get("patternProperties", {})
    matching = [inner for pattern, inner in patterns.items() if _matches(pattern, key)]
    yield from matching or [schema.get("additionalProperties")]


def _matches(pattern: str, key: str) -> bool:
    try:
        return re.search(pattern, key) is not None
    except re.error:
        return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
