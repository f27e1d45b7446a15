"""The OpenAPI 3.1 description, made from the table of operations and the answers' classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from cdp_pipeline import __version__
from cdp_pipeline.admin import answers
from cdp_pipeline.admin.operations import OPERATIONS, Operation, Parameter
from cdp_pipeline.manager.events import Event
from cdp_pipeline.manager.recording import RecordedCase, RecordedMessage
from cdp_pipeline.manager.status import PluginStatus, ReloadReport
from cdp_pipeline.observability.recent import Line

_REFERENCE = "#/components/schemas/{model}"
_PARTS: tuple[type, ...] = (
    answers.StageCounters,
    Event,
    Line,
    PluginStatus,
    RecordedCase,
    RecordedMessage,
    ReloadReport,
)
_TEXT = """How a running host is seen and steered, on this machine only.

By default it listens on a Unix socket that only the host's user may open; `admin.json` in the
pipeline's state folder says where. With `--admin 127.0.0.1:0` it listens on a TCP port and wants
`Authorization: Bearer TOKEN`, the token from `admin-token` in the same folder. Whatever cannot be
answered is answered with a `Refusal`."""


@cache
def describe() -> Mapping[str, Any]:
    """Return the description."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "CDP Pipeline admin API", "version": __version__, "description": _TEXT},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "For TCP only; a Unix socket needs none.",
                }
            },
        },
        "security": [{}, {"token": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [*_path_parameters(operation), *map(_query_parameter, operation.parameters)]
    described: dict[str, Any] = {"operationId": operation.id, "summary": operation.summary}
    if parameters:
        described["parameters"] = parameters
    described["responses"] = {
        str(status): _response(*given) for status, given in sorted(operation.answers.items())
    }
    described["responses"]["default"] = _response(answers.Refusal, "It cannot be answered.")
    return described


def _path_parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": "A stage, or a plugin: then every stage that uses it.",
            "schema": {"type": "string"},
        }


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind, "minimum": parameter.least}
    if parameter.most is not None:
        schema["maximum"] = parameter.most
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.description,
        "schema": schema | {"default": parameter.default},
    }


def _response(answer: type, meaning: str) -> dict[str, Any]:
    if issubclass(answer, answers.Exposition):
        content: dict[str, Any] = {answer.media_type: {"schema": {"type": "string"}}}
        return {"description": meaning, "content": content}
    schema = {"$ref": _REFERENCE.format(model=answer.__name__)}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


def _schemas() -> dict[str, Any]:
    classes = {answer for each in OPERATIONS for answer, _ in each.answers.values()}
    classes.discard(answers.Exposition)
    found = {each.__name__: each for each in (*classes, answers.Refusal, *_PARTS)}
    adapters: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (name, "serialization", TypeAdapter(each)) for name, each in found.items()
    ]
    _, schema = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    definitions = schema["$defs"]
    return {name: _exact(definitions[name], found[name]) for name in sorted(found)}


def _exact(schema: Mapping[str, Any], described: type) -> dict[str, Any]:
    """Return a class's schema with its texts; answers have every field and no others."""
    summary, texts = _documented(described)
    properties = {
        name: {key: value for key, value in inner.items() if key not in ("title", "default")}
        | {"description": texts[name]}
        for name, inner in schema["properties"].items()
    }
    return {
        "type": "object",
        "description": summary,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _documented(described: type) -> tuple[str, dict[str, str]]:
    """Return the first line of a docstring, and the texts of its `Attributes`."""
    text = inspect.cleandoc(described.__doc__ or "")
    _, _, attributes = text.partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return text.split("\n")[0], {name: " ".join(said.split()) for name, said in found}
