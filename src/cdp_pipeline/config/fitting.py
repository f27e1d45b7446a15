"""Hold a mapping of a document against a schema, and settle how variables are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdp_pipeline.config.annotations import is_secret, marked_paths
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.reporting import Reporter
from cdp_pipeline.config.validation import violations
from cdp_pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Fitted:
    """A value that was held against a schema.

    Attributes:
        value: It, with each variable read the way that fits.
        faults: What still does not fit.
    """

    value: Any
    faults: tuple[ConfigError, ...]


def fit(
    document: FilledDocument, value: Any, bases: tuple[KeyPath, ...], schema: Mapping[str, Any]
) -> Fitted:
    """Return *value*, which stands at *bases* in *document*, held against *schema*.

    Raises:
        SchemaInvalid: The schema cannot be used.
    """
    secret = marked_paths(value, schema, is_secret)
    reporter = Reporter(document, bases, schema, secret)
    faults = reporter.faults(value)
    if not faults or not document.readings:
        return Fitted(value, tuple(faults))
    other = _reread(document, value, reporter)
    if other is value:
        return Fitted(value, tuple(faults))
    remaining = _places(other, schema)
    settled = _reread(document, value, reporter, leave=remaining)
    return Fitted(settled, tuple(reporter.faults(settled)))


def _reread(
    document: FilledDocument,
    value: Any,
    reporter: Reporter,
    leave: frozenset[KeyPath] = frozenset(),
) -> Any:
    """Return *value* with the other reading wherever the present one does not fit."""
    for inside in _places(value, reporter.schema) - leave:
        path = reporter.path(inside)
        if path in document.readings:
            value = replaced(value, inside, document.readings[path])
    return value


def _places(value: Any, schema: Mapping[str, Any]) -> frozenset[KeyPath]:
    return frozenset(violation.path for violation in violations(value, schema))


def replaced(value: Any, path: KeyPath, item: Any) -> Any:
    """Return a copy of *value* with *item* at *path*."""
    if not path:
        return item
    copied: Any = list(value) if isinstance(value, list) else dict(value)
    copied[path[0]] = replaced(copied[path[0]], path[1:], item)
    return copied
