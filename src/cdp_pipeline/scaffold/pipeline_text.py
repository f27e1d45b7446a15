"""Write a pipeline as people do: YAML in blocks, with comments where something is to be said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp_pipeline.config.scalars import read_scalar
from cdp_pipeline.observability.text import printable

_PLAIN = re.compile(r"[A-Za-z0-9_./~$][A-Za-z0-9_./:$+~-]*")
_WIDTH = 96


@dataclass(slots=True)
class Step:
    """The source or a stage.

    Attributes:
        type: Its component; empty where only comments are left.
        config: Its configuration.
        comments: What is to be said before it.
        suggestions: Lines that the user may put in force.
    """

    type: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    suggestions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class PipelineText:
    """What a pipeline file says."""

    name: str
    source: Step
    stages: list[Step]
    network: str = ""
    comments: Sequence[str] = ()

    def __str__(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for comment in self.comments:
            yield from _comment(comment, "")
        yield f"name: {scalar(self.name)}"
        if self.network:
            yield f"network: {scalar(self.network)}"
        yield from ("", "source:", *_body(self.source, "  ", "  "), "", "pipeline:")
        for index, step in enumerate(self.stages):
            if index and (step.comments or not self.stages[index - 1].type):
                yield ""
            yield from _body(step, "  - ", "    ")


def _body(step: Step, first: str, indent: str) -> Iterator[str]:
    margin = " " * (len(first) - 2) if first.endswith("- ") else first
    for comment in step.comments:
        yield from _comment(comment, margin)
    if step.type:
        yield f"{first}type: {scalar(step.type)}"
        if step.config:
            yield f"{indent}config:"
            for key, value in step.config.items():
                yield f"{indent}  {key}: {flow(value)}"
    for line in step.suggestions:
        yield f"{indent}# {line}"


def _comment(text: str, margin: str) -> Iterator[str]:
    """Yield a comment, wrapped; nothing in it can end it."""
    line = f"{margin}#"
    for word in printable(text).split():
        if len(line) + 1 + len(word) > _WIDTH and not line.endswith("#"):
            yield line
            line = f"{margin}#  "
        line += f" {word}"
    yield line


def flow(value: Any) -> str:
    """Return *value* in one line of YAML."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_inner(key)}: {_inner(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return scalar(value)


def _inner(value: Any) -> str:
    """Return a value inside of brackets, where a brace of its own would end them."""
    return _quoted(value) if isinstance(value, str) and "{" in value else flow(value)


def scalar(value: Any) -> str:
    """Return a single value as YAML that is read as the same value again."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = _PLAIN.fullmatch(value) and not value.endswith(":") and ": " not in value
    if is_plain and isinstance(read_scalar(value), str):
        return value
    if value.startswith("${") and _PLAIN.fullmatch(value.replace("{", "").replace("}", "")):
        return value if value.endswith("}") else _quoted(value)
    return _quoted(value)


def _quoted(value: str) -> str:
    """Return *value* in quotes; single ones, where it has double ones and no other need."""
    if '"' in value and "'" not in value and value.isprintable() and "\\" not in value:
        return f"'{value}'"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
