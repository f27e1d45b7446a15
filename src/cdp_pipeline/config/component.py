"""Check a component's `config` mapping against the JSON Schema the component declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdp_pipeline.config.annotations import is_secret, marked_paths
from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.faults import raise_faults
from cdp_pipeline.config.fitting import fit
from cdp_pipeline.config.locations import KeyPath
from cdp_pipeline.config.secrecy import Secrets
from cdp_pipeline.config.validation import require_usable


def check_component(
    document: FilledDocument, bases: tuple[KeyPath, ...], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the configuration of one component, checked.

    Args:
        document: The file it stands in.
        bases: The paths of its `config` mappings, e.g. of the plugin and of the stage that
            uses it; keys of a later one take the place of an earlier one's.
        schema: The component's JSON Schema; an empty one accepts everything.

    Raises:
        ConfigError: A key is unknown or missing, or a value is not what was expected.
        SchemaInvalid: The schema cannot be used.
    """
    require_usable(schema)
    fitted = fit(document, merged_config(document, bases), bases, schema)
    raise_faults(fitted.faults, document.file)
    config: dict[str, Any] = fitted.value
    return config


def merged_config(document: FilledDocument, bases: tuple[KeyPath, ...]) -> dict[str, Any]:
    """Return the mappings at *bases* laid over each other, the last on top."""
    merged: dict[str, Any] = {}
    for base in bases:
        value = document.at(base)
        if isinstance(value, Mapping):
            merged.update(value)
    return merged


def secrets_of(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Secrets:
    """Return the texts in *config* that *schema* marks as secret."""
    texts: list[str] = []
    for path in marked_paths(config, schema, is_secret):
        value: Any = config
        for part in path:
            value = value[part]
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            texts.append(str(value))
    return Secrets().including(texts)
