"""Validate plain data against a JSON Schema, in words a person can act on.

One engine for pipeline files, settings, manifests and component configurations, so that
an editor with the published schema and `flowctl validate` agree. Draft 2020-12 unless the
schema names another; references to other places are never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cdp_pipeline.config.expectation import resolved
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_FITTING = {"type", "const", "enum"}
"""Keywords by which a value shows that a branch was never meant for it."""


class SchemaInvalid(ConfigError):
    """A JSON Schema cannot be used."""

    code = "config.schema_invalid"


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a value breaks a schema.

    Attributes:
        path: The place inside the value.
        keyword: The keyword of the schema that it breaks: `type`, `required` ...
        argument: What the schema says under that keyword.
        schema: The part of the schema that holds the keyword.
        root: The whole schema, which references refer to.
        value: What stands there.
    """

    path: KeyPath
    keyword: str
    argument: Any = field(repr=False)
    schema: Mapping[str, Any] = field(repr=False)
    root: Mapping[str, Any] = field(repr=False)
    value: Any = field(repr=False)

    def known_keys(self) -> list[str]:
        """Return the keys that the schema knows here."""
        return list(_properties(self.schema, self.root))

    def unknown_keys(self) -> list[str]:
        """Return the keys that `additionalProperties` or `unevaluatedProperties` refuses."""
        if self.keyword not in ("additionalProperties", "unevaluatedProperties"):
            return []
        known, patterns = set(self.known_keys()), self.schema.get("patternProperties", {})
        return [
            key
            for key in self.value
            if key not in known and not any(re.search(pattern, key) for pattern in patterns)
        ]

    def missing_keys(self) -> list[str]:
        """Return the keys that `required` or `dependentRequired` misses."""
        names: Iterable[str] = ()
        if self.keyword == "required":
            names = self.argument
        elif self.keyword == "dependentRequired":
            needed = [names for key, names in self.argument.items() if key in self.value]
            names = [name for some in needed for name in some]
        return [name for name in names if name not in self.value]

    def exclusive_keys(self) -> list[str]:
        """Return the keys of which one is expected, where the violation is about that."""
        if not isinstance(self.value, Mapping):
            return []
        return _exclusive_keys(self.keyword, self.argument)


def violations(value: Any, schema: Mapping[str, Any]) -> list[Violation]:
    """Return what *value* breaks of *schema*: of alternatives, those of the one that was meant.

    Raises:
        SchemaInvalid: The schema refers to another place, or has an invalid pattern.
    """
    from referencing.exceptions import Unresolvable

    validator = _validator(schema)
    try:
        found = [leaf for error in validator.iter_errors(value) for leaf in _leaves(error)]
    except (Unresolvable, re.error, RecursionError) as error:
        raise SchemaInvalid(f"the JSON Schema cannot be used: {error}") from error
    return [_violation(error, schema) for error in found]


def _violation(error: Any, root: Mapping[str, Any]) -> Violation:
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    return Violation(
        path=tuple(error.absolute_path),
        keyword=str(error.validator),
        argument=error.validator_value,
        schema=schema,
        root=root,
        value=error.instance,
    )


def _exclusive_keys(keyword: str, branches: Any) -> list[str]:
    if keyword not in ("oneOf", "anyOf"):
        return []
    if not all(isinstance(branch, Mapping) and set(branch) == {"required"} for branch in branches):
        return []
    return [name for branch in branches for name in branch["required"]]


def require_usable(schema: Mapping[str, Any]) -> None:
    """Check a schema that a stranger wrote before it is used.

    Raises:
        SchemaInvalid: It is not a JSON Schema.
    """
    from jsonschema.exceptions import SchemaError

    try:
        _kind(schema).check_schema(dict(schema))
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "its root"
        raise SchemaInvalid(f"the JSON Schema is wrong at `{place}`: {error.message}") from error


def _validator(schema: Mapping[str, Any]) -> Validator:
    from referencing import Registry

    validator: Validator = _kind(schema)(dict(schema), registry=Registry())
    return validator


def _kind(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    return validator_for(schema, default=Draft202012Validator)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    schema: Any = error.schema
    if not error.context or "expected" in schema or _about_keys(error):
        yield error
        return
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    meant = [found for found in branches.values() if not any(map(_not_meant, found))]
    if not meant:
        yield error
        return
    for inner in min(meant, key=len):
        yield from _leaves(inner)


def _about_keys(error: ValidationError) -> bool:
    return bool(_exclusive_keys(str(error.validator), error.validator_value))


def _not_meant(error: ValidationError) -> bool:
    depth = len(error.relative_path)
    if error.validator == "type":
        return depth == 0
    return error.validator in _FITTING and (depth == 0 or error.validator == "const")


def _properties(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    schema = resolved(schema, root)
    if not isinstance(schema, Mapping) or depth > 8:
        return
    yield from schema.get("properties", {})
    for keyword in ("allOf", "anyOf", "oneOf"):
        for branch in schema.get(keyword, ()):
            yield from _properties(branch, root, depth + 1)
