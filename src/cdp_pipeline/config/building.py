"""Build a frozen object of a document: schema first, so that all faults are found together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError

from cdp_pipeline.config.environment import FilledDocument
from cdp_pipeline.config.faults import raise_faults
from cdp_pipeline.config.fitting import fit
from cdp_pipeline.config.locations import KeyPath, dotted
from cdp_pipeline.config.model import Frozen
from cdp_pipeline.errors import ConfigError

M = TypeVar("M", bound=Frozen)


def build(
    model: type[M], document: FilledDocument, more: Iterable[ConfigError] = ()
) -> tuple[M, FilledDocument]:
    """Return *document* as a *model*, and the document with its variables read to fit.

    Raises:
        ConfigError: It has a fault, or *more* holds one; several are raised together.
    """
    fitted = fit(document, document.data, ((),), model_schema(model))
    raise_faults([*document.faults, *fitted.faults, *more], document.file)
    settled = replace(document, data=fitted.value)
    try:
        return model.model_validate(_without_extensions(fitted.value)), settled
    except ValidationError as error:
        raise_faults(_remaining(error, settled), document.file)
        raise


@cache
def model_schema(model: type[Frozen]) -> Mapping[str, Any]:
    """Return the JSON Schema of *model*, the keys being those of the file."""
    return model.model_json_schema(by_alias=True)


def without_empty_keys(data: Any, depth: int) -> Any:
    """Return *data* without keys that have no value, down to *depth* levels.

    A key without a value is as if it were left out: all below it may be commented out.
    """
    if isinstance(data, dict) and depth > 0:
        return {
            key: without_empty_keys(value, 0 if key == "config" else depth - 1)
            for key, value in data.items()
            if value is not None
        }
    if isinstance(data, list) and depth > 0:
        return [without_empty_keys(item, depth) for item in data]
    return data


def _without_extensions(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if not key.startswith("x-")}


def _remaining(error: ValidationError, document: FilledDocument) -> Iterator[ConfigError]:
    """Yield the faults that only the model itself can find."""
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        path: KeyPath = tuple(fault["loc"])
        message = str(fault["msg"]).removeprefix("Value error, ")
        if path in document.secrets.variables:
            message = f"the value from the environment does not fit: {fault['type']}"
        yield ConfigError(
            f"`{dotted(path)}`: {document.secrets.masked(message)}",
            code="config.value_invalid",
            where=document.locations.where(path),
        )
