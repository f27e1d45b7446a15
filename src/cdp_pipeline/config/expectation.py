"""Say in words what a JSON Schema expects, and what came instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdp_pipeline.config.suggest import listed

_WORDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_LONGEST_SHOWN = 60


def expected(schema: Any, root: Mapping[str, Any]) -> str:
    """Return what *schema* expects, e.g. ``an integer of at least 1``.

    A schema may say it itself under the key `expected`. References are looked up in *root*.
    """
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return "no value" if schema is False else "any value"
    if isinstance(schema.get("expected"), str):
        return str(schema["expected"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if isinstance(schema.get("enum"), list):
        return f"one of {listed(schema['enum'])}"
    return _of_branches(schema, root) or _of_type(schema)


def choices(schema: Any, root: Mapping[str, Any]) -> list[str]:
    """Return the texts that *schema* allows by name, in any of its alternatives."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return []
    found = [schema["const"]] if "const" in schema else list(schema.get("enum", ()))
    for keyword in ("anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            found += choices(branch, root)
    return [name for name in found if isinstance(name, str)]


def kinds(schema: Any, root: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that *schema* allows, in any of its alternatives."""
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping):
        return set()
    named = schema.get("type", [])
    found = {named} if isinstance(named, str) else set(named)
    for keyword in ("anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            found |= kinds(branch, root)
    return found


def resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    """Return *schema*, or what its local `$ref` refers to in *root*."""
    seen: set[str] = set()
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        reference: str = schema["$ref"]
        if reference in seen or not reference.startswith("#"):
            return {}
        seen.add(reference)
        schema = _pointed(root, reference[1:])
    return schema


def came(value: Any) -> str:
    """Return what *value* is, in words, shortened; secrets must be masked before."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if not isinstance(value, str):
        return f"the number `{short(str(value))}`"
    return f"text `{short(value)}`" if value else "empty text"


def short(text: str) -> str:
    """Return *text* on one line and of bearable length."""
    line = " ".join(text.split()).replace("`", "'")
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."


def kind_of(value: Any) -> str:
    """Return the kind of *value* without showing it: ``text``, ``a number`` ..."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "a number"
    return came(value)


def _of_branches(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    branches = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(branches, list) or "type" in schema:
        return ""
    some = [branch for branch in branches if resolved(branch, root) != {"type": "null"}]
    words = dict.fromkeys(expected(branch, root) for branch in some or branches)
    return " or ".join(words) + _examples(schema)


def _of_type(schema: Mapping[str, Any]) -> str:
    named = schema.get("type")
    names: Iterable[Any] = named if isinstance(named, list) else [named]
    words = [_WORDS[name] for name in names if isinstance(name, str) and name in _WORDS]
    if not words:
        return "another value"
    return " or ".join(words) + _bounds(schema) + _examples(schema)


def _bounds(schema: Mapping[str, Any]) -> str:
    bounds = [
        f"{words} {schema[key]}"
        for key, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
            ("multipleOf", "a multiple of"),
        )
        if key in schema
    ]
    return _lengths(schema) + (f" of {' and '.join(bounds)}" if bounds else "")


def _lengths(schema: Mapping[str, Any]) -> str:
    bounds = [
        f"{words} {schema[key]} {one if schema[key] == 1 else many}"
        for key, words, one, many in (
            ("minLength", "at least", "character", "characters"),
            ("maxLength", "at most", "character", "characters"),
            ("minItems", "at least", "entry", "entries"),
            ("maxItems", "at most", "entry", "entries"),
            ("minProperties", "at least", "key", "keys"),
            ("maxProperties", "at most", "key", "keys"),
        )
        if key in schema
    ]
    pattern = f" that matches `{schema['pattern']}`" if "pattern" in schema else ""
    return (f" of {' and '.join(bounds)}" if bounds else "") + pattern


def _examples(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples")
    if not isinstance(examples, list) or not examples:
        return ""
    shown = [f"`{example}`" for example in examples if not isinstance(example, (dict, list))]
    return f" such as {' or '.join(shown[:3])}" if shown else ""


def _pointed(root: Mapping[str, Any], pointer: str) -> Any:
    node: Any = root
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        node = node.get(name, {}) if isinstance(node, Mapping) else {}
    return node
