"""What can go wrong with an expression, in words that name the field and the way out.

ConfigInvalid                plugin.config_invalid
└── ExpressionInvalid        expression.syntax         no expression, or one without any value
PluginError                  plugin.failed
└── ExpressionFailed         expression.failed         no value for this message
    └── FieldMissing         expression.missing_field  it reads a field that is not there
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cdpplugin import ConfigInvalid, PluginError

from .expression_tree import Path

VARIABLES = ("payload", "type", "id", "metadata", "source")

_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_FAULT = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_NOISE = re.compile(r" \(in container '[^']*'\)| expecting \{.*| \[[A-Z_]+\]$")
_KEY = re.compile(r'Key not found in map : "?(.*?)"?$')
_OVERLOAD = re.compile(r"No matching overloads found : (\S+?)(?:\((.*)\))?$")
_RANGE = re.compile(r"Integer value '(-?\d+)' out of range")
_KINDS = {
    "string": "text",
    "int64": "a whole number",
    "uint64": "a whole number above 2^63",
    "double": "a decimal number",
    "bool": "true or false",
    "null_type": "null",
    "map": "an object",
    "list": "a list",
}
_JSON_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a decimal number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}
_SIGNS = {"<jump_condition>": "? :", "@in": "in", "_?_:_": "? :"}
_CONVERT = "convert with `int(...)`, `double(...)` or `string(...)`, or check first"


class ExpressionInvalid(ConfigInvalid):
    """The text is no expression, or one that can never be evaluated."""

    code = "expression.syntax"


class ExpressionFailed(PluginError):
    """An expression has no value for this message."""

    code = "expression.failed"


class FieldMissing(ExpressionFailed):
    """An expression reads a field that this message does not have."""

    code = "expression.missing_field"


def failed(text: str, message: str, hint: str = _CONVERT) -> ExpressionFailed:
    """Return the error that expression *text* has no value, and why."""
    return ExpressionFailed(f"expression `{text}`: {message}", hint=hint)


def missing(text: str, path: str) -> FieldMissing:
    """Return the error that the field *path*, read by expression *text*, is not there."""
    return FieldMissing(
        f"expression `{text}`: no field `{path}`",
        hint="ask first with `has(...)`, give a default with `payload.?field.orValue(0)`, "
        "or set `on_missing`",
    )


def invalid(text: str, fault: str) -> ExpressionInvalid:
    """Return the error for the engine's *fault* on compiling *text*."""
    where = _FAULT.search(fault)
    if where is None:
        reason = _STATUS.sub("", fault.split("\n", 1)[0])
        return ExpressionInvalid(f"`{text}`: {_lower(reason)}", hint="write a shorter expression")
    line, column, reason = int(where[1]), int(where[2]), _NOISE.sub("", where[3])
    place = f"column {column}" if line == 1 else f"line {line}, column {column}"
    return ExpressionInvalid(f"`{text}`, {place}: {_lower(reason)}", hint=_syntax_hint(reason))


def _syntax_hint(reason: str) -> str:
    if "undeclared reference" in reason:
        return (
            f"read one of {', '.join(f'`{name}`' for name in VARIABLES)} (a field is "
            '`payload.amount`), and put text in quotes: `"native"`'
        )
    if "no matching overload" in reason:
        return "convert one side with `int(...)`, `double(...)` or `string(...)`"
    if "'= '" in reason:
        return "compare with `==`"
    if any(word in reason for word in ("'and'", "'or'", "'not'")):
        return "write `&&`, `||` and `!` for and, or and not"
    return 'write it as CEL, e.g. `payload.amount > 1000 && payload.asset_type == "native"`'


def evaluation(
    text: str, fault: str, paths: Sequence[Path], variables: Mapping[str, Any]
) -> ExpressionFailed:
    """Return the error for the engine's *fault* on evaluating *text*, which reads *paths*."""
    reason = _STATUS.sub("", fault)
    if fault.startswith("NOT_FOUND") and (key := _KEY.search(reason)):
        return missing(text, _missing_path(key[1], paths, variables))
    if reason.startswith("Index error"):
        message = f"expression `{text}`: {_lower(reason)}"
        return FieldMissing(message, hint="ask first with `size(...)`, or set `on_missing`")
    if "to a Python type" in reason:
        return failed(text, "an optional value has no JSON form", "end it with `.orValue(...)`")
    return failed(text, _words(reason) + _held(paths, variables))


def _words(reason: str) -> str:
    if overload := _OVERLOAD.search(reason):
        return _mismatch(overload[1], overload[2])
    if number := _RANGE.search(reason):
        return f"`{number[1]}` does not fit in 64 bits"
    if reason == "Applying SELECT to non-message type":
        return "a field is read of what is not an object"
    return _lower(reason)


def _mismatch(operator: str, kinds: str | None) -> str:
    sign = _SIGNS.get(operator, operator.replace("_", ""))
    if not kinds:
        return f"`{sign}` takes only true and false"
    named = [_KINDS.get(kind.strip(), kind.strip()) for kind in kinds.split(",")]
    if sign == "<" and len(named) == 2:  # also what `==`, `!=` and `in` are rewritten to
        return f"{named[0]} and {named[1]} cannot be compared"
    return f"`{sign}` cannot take {' and '.join(named)}"


def _missing_path(key: str, paths: Sequence[Path], variables: Mapping[str, Any]) -> str:
    for path in paths:
        value: Any = variables
        for depth, name in enumerate(path):
            if not isinstance(value, Mapping):
                break
            if name not in value:
                if name == key:
                    return ".".join(path[: depth + 1])
                break
            value = value[name]
    return key


def _held(paths: Sequence[Path], variables: Mapping[str, Any]) -> str:
    """Say what kind of value each field in the expression holds."""
    held: dict[str, str] = {}
    for path in paths:
        value: Any = variables
        for depth, name in enumerate(path):
            if not isinstance(value, Mapping):
                held[".".join(path[:depth])] = kind_of(value)
                break
            if name not in value:
                break
            value = value[name]
        else:
            held[".".join(path)] = kind_of(value)
    facts = [f"`{path}` is {kind}" for path, kind in held.items()]
    return "; " + ", ".join(facts) if facts else ""


def kind_of(value: Any) -> str:
    """Return what kind of JSON value *value* is, for people."""
    return _JSON_KINDS.get(type(value), type(value).__name__)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
