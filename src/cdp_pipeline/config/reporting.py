"""Turn violations of a schema into faults: place, subject, what was expected, what came.

The value itself is shown only where it is no secret and did not come from the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.expectation import came, choices, expected, kind_of, kinds
from cdp_pipeline.config.locations import KeyPath, dotted
from cdp_pipeline.config.scalars import read_scalar
from cdp_pipeline.config.secrecy import says_secret, shown_variables
from cdp_pipeline.config.suggest import hint_of, listed, nearest
from cdp_pipeline.config.validation import Violation, violations
from cdp_pipeline.errors import ConfigError

_BOOLEAN_WORDS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


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
            for violation in violations(value, self.schema)
            for fault in self._faults(violation)
            if self.path(violation.path) not in self.document.unknown
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

    def _faults(self, violation: Violation) -> Iterator[ConfigError]:
        unknown, missing = violation.unknown_keys(), violation.missing_keys()
        if unknown:
            known = violation.known_keys()
            yield from (self._unknown_key((*violation.path, key), known) for key in unknown)
        elif missing:
            yield from (self._missing_key(violation, key) for key in missing)
        elif violation.exclusive_keys():
            yield self._exclusive(violation, violation.exclusive_keys())
        else:
            yield self._value(violation)

    def _unknown_key(self, inside: KeyPath, known: list[str]) -> ConfigError:
        path = self.path(inside)
        return ConfigError(
            f"unknown key `{dotted(path)}`",
            code="config.unknown_key",
            where=self.document.locations.where_key(path),
            hint=hint_of(str(inside[-1]), known) or "no keys are expected here",
        )

    def _missing_key(self, violation: Violation, key: str) -> ConfigError:
        path = self.path((*violation.path, key))
        schema = violation.schema.get("properties", {}).get(key, {})
        return ConfigError(
            f"missing key `{dotted(path)}`, expected {expected(schema, self.schema)}",
            code="config.missing_key",
            where=self.document.locations.where_key(path),
            hint=f"add `{key}:`{_example(schema)}",
        )

    def _exclusive(self, violation: Violation, keys: list[str]) -> ConfigError:
        present = [key for key in keys if key in violation.value]
        path = self.path(violation.path)
        return ConfigError(
            f"`{dotted(path)}`: expected one of the keys {listed(keys)}, "
            f"got {listed(present) if present else 'none of them'}",
            code="config.value_invalid" if present else "config.missing_key",
            where=self.document.locations.where(path),
            hint="keep one of them" if present else f"add one of {listed(keys)}",
        )

    def _value(self, violation: Violation) -> ConfigError:
        schema, value = violation.schema, violation.value
        hint = self._hint(schema, value) if self._shown(violation.path) else ""
        return self.invalid(violation.path, value, expected(schema, self.schema), hint)

    def _hint(self, schema: Any, value: Any) -> str:
        """Return how to write *value*, where it is the right thing in the wrong form."""
        wanted = kinds(schema, self.schema)
        if not isinstance(value, str):
            return "put it in quotes" if wanted == {"string"} and _is_scalar(value) else ""
        near = nearest(value, choices(schema, self.schema))
        if near is not None:
            return f"did you mean `{near}`?"
        if wanted & {"integer", "number"} and isinstance(read_scalar(value), (int, float)):
            return "write it without quotes"
        if "boolean" in wanted and value.lower() in _BOOLEAN_WORDS:
            return f"write `{_BOOLEAN_WORDS[value.lower()]}`"
        return ""

    def _shown(self, inside: KeyPath) -> bool:
        return "(a secret" not in self.got(inside, "")


def _is_scalar(value: Any) -> bool:
    return value is not None and not isinstance(value, (Mapping, list))


def _example(schema: Any) -> str:
    examples = schema.get("examples") if isinstance(schema, Mapping) else None
    return f" for example `{examples[0]}`" if examples else ""
