"""Turn violations of a schema into faults: place, subject, what was expected, what came.

The value itself is shown only where it is no secret and did not come from the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.expectation import came, expected, kind_of
from cdp_pipeline.config.locations import KeyPath, dotted
from cdp_pipeline.config.secrecy import says_secret, shown_variables
from cdp_pipeline.config.suggest import hint_of, listed
from cdp_pipeline.config.validation import (
    exclusive_keys,
    known_keys,
    missing_keys,
    unknown_keys,
    violations,
)
from cdp_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes the faults of one mapping of a document.

    Attributes:
        document: The file the mapping stands in.
        bases: Where it stands; of several places, which are laid over each other, the last
            that has a key is where that key stands.
        schema: What it is held against.
        secret: Paths inside it that the schema marks as secret.
    """

    document: FilledDocument
    bases: tuple[KeyPath, ...]
    schema: Mapping[str, Any]
    secret: frozenset[KeyPath] = frozenset()

    def faults(self, value: Any) -> list[ConfigError]:
        """Return the faults of *value*.

        Raises:
            SchemaInvalid: The schema cannot be used.
        """
        return [
            fault
            for error in violations(value, self.schema)
            for fault in self._faults(error)
            if not self._unknown(error)
        ]

    def path(self, inside: KeyPath) -> KeyPath:
        """Return the path in the file of the path *inside* the mapping."""
        for base in reversed(self.bases):
            if inside and (*base, inside[0]) in self._known_paths():
                return (*base, *inside)
        return (*self.bases[-1], *inside)

    def invalid(self, inside: KeyPath, value: Any, expectation: str, hint: str = "") -> ConfigError:
        """Return the fault of a *value* that is not what was expected."""
        path = self.path(inside)
        return ConfigError(
            f"`{dotted(path) or 'file'}`: expected {expectation}, got {self.got(inside, value)}",
            code="config.value_invalid",
            where=self.document.locations.where(path),
            hint=hint,
        )

    def got(self, inside: KeyPath, value: Any) -> str:
        """Return what came, secrets left out."""
        path = self.path(inside)
        names = self.document.secrets.variables.get(path)
        if names is not None:
            return f"{kind_of(value)} from `{shown_variables(names)}`"
        if inside in self.secret or any(says_secret(str(part)) for part in path):
            return f"{kind_of(value)} (a secret, not shown)"
        return came(self.document.secrets.masked(value))

    def _known_paths(self) -> Mapping[KeyPath, Any]:
        return self.document.locations.keys

    def _unknown(self, error: ValidationError) -> bool:
        return self.path(tuple(error.absolute_path)) in self.document.unknown

    def _faults(self, error: ValidationError) -> Iterator[ConfigError]:
        inside: KeyPath = tuple(error.absolute_path)
        keys = exclusive_keys(error)
        if error.validator in ("additionalProperties", "unevaluatedProperties"):
            for key in unknown_keys(error):
                yield self._unknown_key(inside, key, known_keys(error))
        elif error.validator in ("required", "dependentRequired"):
            for key in missing_keys(error):
                yield self._missing_key(inside, key, error)
        elif keys:
            yield self._exclusive(inside, keys, error.instance)
        else:
            yield self._value(inside, error)

    def _unknown_key(self, inside: KeyPath, key: str, known: list[str]) -> ConfigError:
        path = self.path((*inside, key))
        return ConfigError(
            f"unknown key `{dotted(path)}`",
            code="config.unknown_key",
            where=self.document.locations.where_key(path),
            hint=hint_of(key, known) or "no keys are expected here",
        )

    def _missing_key(self, inside: KeyPath, key: str, error: ValidationError) -> ConfigError:
        path = self.path((*inside, key))
        schema = error.schema.get("properties", {}).get(key, {})
        return ConfigError(
            f"missing key `{dotted(path)}`, expected {expected(schema, self.schema)}",
            code="config.missing_key",
            where=self.document.locations.where_key(path),
            hint=f"add `{key}:`{_example(schema)}",
        )

    def _exclusive(self, inside: KeyPath, keys: list[str], value: Any) -> ConfigError:
        present = [key for key in keys if key in value]
        path = self.path(inside)
        return ConfigError(
            f"`{dotted(path)}`: expected one of the keys {listed(keys)}, "
            f"got {listed(present) if present else 'none of them'}",
            code="config.value_invalid" if present else "config.missing_key",
            where=self.document.locations.where(path),
            hint="keep one of them" if present else f"add one of {listed(keys)}",
        )

    def _value(self, inside: KeyPath, error: ValidationError) -> ConfigError:
        expectation = expected(error.schema, self.schema)
        hint = ""
        choices = _choices(error.schema)
        if choices and isinstance(error.instance, str) and self._shown(inside):
            hint = hint_of(error.instance, choices)
        elif expectation.startswith("text") and isinstance(error.instance, (int, float)):
            hint = "put it in quotes"
        return self.invalid(inside, error.instance, expectation, hint)

    def _shown(self, inside: KeyPath) -> bool:
        return "(a secret" not in self.got(inside, "")


def _choices(schema: Mapping[str, Any]) -> list[str]:
    return [choice for choice in schema.get("enum", ()) if isinstance(choice, str)]


def _example(schema: Any) -> str:
    examples = schema.get("examples") if isinstance(schema, Mapping) else None
    return f" for example `{examples[0]}`" if examples else ""
