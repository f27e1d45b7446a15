"""What every built-in component's configuration is made of.

A component is one file: its settings with descriptions, units and defaults, then its
logic. Its JSON Schema, and so `flowctl explain` and `flowctl validate`, come from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from cdpplugin import ConfigInvalid
from cdpplugin.units import parse_duration_s, parse_size_bytes

DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
            "description": "a duration: seconds, or text such as `500ms`, `30s`, `1h30m`",
            "examples": ["30s", "5m"],
        }
    ),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(parse_size_bytes),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}],
            "description": "a size: bytes, or text such as `100MB`, `4MiB`",
            "examples": ["128MB"],
        }
    ),
]


class Settings(BaseModel):
    """A component's configuration: frozen, complete, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


S = TypeVar("S", bound=Settings)


def settings_of(model: type[S], config: Mapping[str, Any]) -> S:
    """Return *config* as *model*.

    Raises:
        ConfigInvalid: It does not fit; the message names each key and what was expected.
    """
    try:
        return model.model_validate(dict(config))
    except ValidationError as error:
        raise ConfigInvalid("; ".join(_faults(error))) from error


def _faults(error: ValidationError) -> list[str]:
    return [
        f"`{'.'.join(map(str, fault['loc'])) or 'config'}`: {_lower(fault['msg'])}"
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _lower(text: str) -> str:
    text = text.removeprefix("Value error, ")
    # `JSON` and other abbreviations stay as they are.
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
