"""Expressions over a message, in CEL (the Common Expression Language), for `filter` and `map`.

An expression reads `payload`, `type`, `id`, `metadata` and `source` (`source.name`,
`source.network`, `source.uri`). It runs in Google's CEL engine: no loops, files or
network, a bounded number of steps, regular expressions in linear time.

    payload.amount > 1000 && payload.asset_type == "native"
    has(payload.memo) && payload.memo.startsWith("order-")
    int(payload.amount) >= 9007199254740993          amounts written as text

Whole numbers are exact to 64 bits. A field that is not there is an error
(`expression.missing_field`) unless asked for by `has(payload.x)` or `payload.?x.orValue(0)`;
so is comparing text with a number (`expression.failed`), also by `==`, `!=` and `in`, which
plain CEL would answer with a silent false. As in CEL, an error counts only where the answer
depends on it: `false && payload.missing` is false. A field that holds null is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from math import isfinite
from typing import Any

from cdpplugin import decode_json, encode_json

from .expression_faults import (
    VARIABLES,
    ExpressionFailed,
    ExpressionInvalid,
    FieldMissing,
    evaluation,
    failed,
    invalid,
    kind_of,
    missing,
)
from .expression_tree import decode, encode, path_of, paths, refuse_mixed_types, root

__all__ = [
    "VARIABLES",
    "Expression",
    "ExpressionFailed",
    "ExpressionInvalid",
    "FieldMissing",
    "compile_condition",
    "compile_expression",
]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_JSON = _SCALARS | {dict, list}


class Expression:
    """A compiled expression; may be evaluated by several threads at once.

    Attributes:
        text: As it was written.
        variables: Which of `VARIABLES` it reads.
        result: The static type of its value, as CEL names it: `BOOL`, `STRING`, `DYN` ...
    """

    def __init__(self, text: str) -> None:
        checked = _check(text)
        tree = decode(checked.serialize())
        expression = root(tree)
        self.text = text
        self.result: str = checked.return_type().name()
        self._path = path_of(expression, plain=True)
        self._paths = sorted({path for path in paths(expression) if path[0] in VARIABLES})
        self.variables = frozenset(path[0] for path in self._paths)
        self._fields = {name: self.fields_of(name) for name in self.variables}
        refuse_mixed_types(expression)
        self._program = _environment().deserialize(encode(tree))

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def fields_of(self, variable: str) -> frozenset[str] | None:
        """Return the fields of *variable* that it reads, or None where it reads all of it."""
        if (variable,) in self._paths:
            return None
        return frozenset(path[1] for path in self._paths if path[0] == variable)

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value as JSON values; *variables* holds at least those that it reads.

        Times become RFC 3339 text, durations text in seconds (`90s`), bytes base64 text.

        Raises:
            FieldMissing: It reads a field that is not there.
            ExpressionFailed: Types do not fit, a number overflows, a text is no number ...
        """
        if self._path is not None and self._path[0] in variables:
            return self._read(variables)
        data = {
            "message.type" if name == "type" else name: _narrow(variables[name], fields)
            for name, fields in self._fields.items()
        }
        try:
            answer = self._program.eval(data=data)
            value = answer.value()
        except (RuntimeError, TypeError) as error:
            raise evaluation(self.text, str(error), self._paths, variables) from error
        if type(value) is bool:
            return value
        if answer.type().name() == "ERROR":
            raise evaluation(self.text, str(value), self._paths, variables)
        return self._json(answer.plain_value())

    def _read(self, variables: Mapping[str, Any]) -> Any:
        """Follow a plain path through the Python values: exact at any size, order kept."""
        path = self._path or ()
        value: Any = variables
        for depth, key in enumerate(path):
            if not isinstance(value, Mapping):
                kind, place = kind_of(value), ".".join(path[:depth])
                raise failed(self.text, f"`{place}` is {kind}, an object expected")
            if key not in value:
                raise missing(self.text, ".".join(path[: depth + 1]))
            value = value[key]
        return value if type(value) in _SCALARS else decode_json(encode_json(value))

    def _json(self, value: Any) -> Any:
        if type(value) is float and not isfinite(value):
            raise failed(self.text, f"the value is {value}, which JSON cannot hold")
        if type(value) in _SCALARS:
            return value
        if isinstance(value, dict):
            # The engine's maps have no order; sorted, so that a replay gives the same bytes.
            return {str(key): self._json(value[key]) for key in sorted(value, key=str)}
        if isinstance(value, list):
            return [self._json(item) for item in value]
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, timedelta):
            return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
        if isinstance(value, (bytes, bytearray)):
            return decode_json(encode_json(bytes(value)))
        return str(value.name()).lower()


def compile_expression(text: str, *, setting: str = "") -> Expression:
    """Compile *text*; *setting* names where it was written, for the error.

    Raises:
        ExpressionInvalid: It is no expression; line, column and what was found are named.
    """
    try:
        return Expression(text)
    except ExpressionInvalid as error:
        if not setting:
            raise
        raise ExpressionInvalid(f"`{setting}`: {error.message}", hint=error.hint) from error


def compile_condition(text: str, *, setting: str = "condition") -> Expression:
    """Compile *text*, which must be able to give true or false.

    Raises:
        ExpressionInvalid: It is no expression, or always gives something else.
    """
    expression = compile_expression(text, setting=setting)
    if expression.result not in ("BOOL", "DYN"):
        raise ExpressionInvalid(
            f"`{setting}`: true or false expected, `{text}` gives {expression.result.lower()}",
            hint="compare it with something, e.g. `payload.amount > 0`",
        )
    return expression


@cache
def _environment() -> Any:
    """Return the engine with our variables; CEL's own `type(x)` stays beside `type`."""
    from cel_expr_python import cel  # type: ignore[import-untyped]
    from cel_expr_python.ext import (  # type: ignore[import-untyped]
        ext_math,
        ext_optional,
        ext_strings,
    )

    kind = cel.Type
    variables = {
        "payload": kind.DYN,
        # `type` is a name of CEL's own: ours is found first, as a member of the container.
        "message.type": kind.STRING,
        "id": kind.STRING,
        "metadata": kind.Map(kind.STRING, kind.DYN),
        "source": kind.Map(kind.STRING, kind.STRING),
    }
    extensions = [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional()]
    return cel.NewEnv(variables=variables, extensions=extensions, container="message")


def _check(text: str) -> Any:
    try:
        return _environment().compile(text)
    except RuntimeError as error:
        raise invalid(text, str(error)) from error


def _narrow(value: Any, fields: Iterable[str] | None) -> Any:
    """Return *value* with only the fields that are read: what crosses to the engine costs."""
    if not isinstance(value, Mapping):
        return value
    narrow = {}
    for name in value if fields is None else fields:
        if name in value:
            held = value[name]
            # numpy scalars, which plugins may put in metadata, are taken for what they hold.
            narrow[name] = held if type(held) in _JSON else decode_json(encode_json(held))
    return narrow
