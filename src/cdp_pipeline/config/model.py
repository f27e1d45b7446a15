"""What every object of the configuration is made of: frozen, complete, strangers refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from cdpplugin.units import parse_duration_s, parse_size_bytes


class Frozen(BaseModel):
    """A frozen object whose keys are exactly those of the file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?(ms|s|m|h|d) *)+$"},
            ],
            "expected": "a duration such as `500ms`, `30s` or `1h30m`",
            "examples": ["30s", "500ms"],
        }
    ),
]
"""A duration in seconds."""

SizeBytes = Annotated[
    int,
    BeforeValidator(parse_size_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {
                    "type": "string",
                    "pattern": r"^\s*\d+(\.\d+)? *([bB]|[kKmMgGtT][bB]|[kKmMgGtT][iI][bB])?\s*$",
                },
            ],
            "expected": "a size such as `100MB` or `4MiB`",
            "examples": ["100MB", "4MiB"],
        }
    ),
]
"""A size in bytes."""


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"expected more than 0, got {value:g}")
    return value


PositiveDurationS = Annotated[DurationS, AfterValidator(_positive)]
"""A duration in seconds, not 0."""

PositiveSizeBytes = Annotated[SizeBytes, AfterValidator(_positive)]
"""A size in bytes, not 0."""


@dataclass(frozen=True, slots=True)
class ShortForm:
    """Lets one text stand for a whole object: ``on_error: drop``.

    Attributes:
        expand: Makes the object's mapping of the text.
        choices: The texts that may stand there; none means any.
    """

    expand: Callable[[str], dict[str, Any]]
    choices: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return BeforeValidator(self._expanded).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text: dict[str, Any] = {"type": "string"}
        if self.choices:
            text["enum"] = list(self.choices)
        return {"anyOf": [text, handler(core_schema)]}

    def _expanded(self, value: Any) -> Any:
        return self.expand(value) if isinstance(value, str) else value
