"""Validate plain data against a JSON Schema, in words a person can act on.

One engine for pipeline files, settings, manifests and component configurations, so that
an editor with the published schema and `flowctl validate` agree. Draft 2020-12 unless the
schema names another; references to other places are never fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cdp_pipeline.config.expectation import expected, resolved
from cdp_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_FITTING = {"type", "const", "enum"}
"""Keywords by which a value shows that a branch was never meant for it."""


class SchemaInvalid(ConfigError):
    """A JSON Schema cannot be used."""

    code = "config.schema_invalid"


def violations(value: Any, schema: Mapping[str, Any]) -> list[ValidationError]:
    """Return what *value* breaks of *schema*: of alternatives, those of the one that was meant.

    Raises:
        SchemaInvalid: The schema is wrong, refers to another place, or has an invalid pattern.
    """
    from referencing.exceptions import Unresolvable

    validator = _validator(schema)
    try:
        found = [leaf for error in validator.iter_errors(value) for leaf in _leaves(error)]
    except (Unresolvable, re.error, RecursionError) as error:
        raise SchemaInvalid(f"the JSON Schema cannot be used: {error}") from error
    return found


def unknown_keys(error: ValidationError) -> list[str]:
    """Return the keys that `additionalProperties` or `unevaluatedProperties` refuses."""
    known, patterns = set(known_keys(error)), error.schema.get("patternProperties", {})
    return [
        key
        for key in error.instance
        if key not in known and not any(re.search(pattern, key) for pattern in patterns)
    ]


def known_keys(error: ValidationError) -> list[str]:
    """Return the keys that the schema of *error* knows."""
    return list(_properties(error.schema, error.schema))


def missing_keys(error: ValidationError) -> list[str]:
    """Return the keys that `required` or `dependentRequired` misses."""
    names: Iterable[str] = error.validator_value
    if isinstance(error.validator_value, Mapping):
        names = [
            name
            for key, needed in error.validator_value.items()
            if key in error.instance
            for name in needed
        ]
    return [name for name in names if name not in error.instance]


def exclusive_keys(error: ValidationError) -> list[str]:
    """Return the keys of which exactly one is expected, where *error* is about that."""
    if error.validator not in ("oneOf", "anyOf"):
        return []
    branches = error.validator_value
    if not all(isinstance(branch, Mapping) and set(branch) == {"required"} for branch in branches):
        return []
    return [name for branch in branches for name in branch["required"]]


def expectation_of(error: ValidationError, root: Mapping[str, Any]) -> str:
    """Return what was expected where *error* is."""
    return expected(error.schema, root)


def _validator(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path) or "its root"
        raise SchemaInvalid(f"the JSON Schema is wrong at `{place}`: {error.message}") from error
    validator: Validator = kind(schema, registry=Registry())
    return validator


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    if not error.context or "expected" in error.schema or exclusive_keys(error):
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
