"""Metadata of the single-message call: JSON objects to and from `google.protobuf.Struct`.

A Struct holds every number as a double. So an integer beyond 2^53 is refused, never
rounded, and a whole number comes back as an integer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

from cdpplugin.errors import PluginError
from cdpplugin.payloads import decode_json, encode_json

EXACT_LIMIT = 2**53


class NumberTooLarge(PluginError):
    """An integer in metadata would be rounded."""

    code = "message.number_too_large"
    hint = "write it as text, or as part of the payload"


def encode_struct(metadata: Mapping[str, Any]) -> Struct | None:
    """Return *metadata* as a Struct, None for an empty one.

    Raises:
        NumberTooLarge: It holds an integer beyond 2^53.
        PayloadInvalid: It holds something JSON has no form for.
    """
    if not metadata:
        return None
    plain = decode_json(encode_json(metadata))
    _check(plain)
    struct = Struct()
    struct.update(plain)
    return struct


def _check(value: Any) -> None:
    if isinstance(value, int):
        if abs(value) > EXACT_LIMIT:
            raise NumberTooLarge(f"expected integers within 2^53 in metadata, got `{value}`")
    elif isinstance(value, dict):
        for held in value.values():
            _check(held)
    elif isinstance(value, list):
        for held in value:
            _check(held)


def decode_struct(struct: Struct) -> dict[str, Any]:
    """Return the JSON object that *struct* stands for."""
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return decode_struct(value.struct_value)
    if kind == "list_value":
        return [_value(held) for held in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        whole = number.is_integer() and abs(number) <= EXACT_LIMIT
        return int(number) if whole else number
    return None if kind in (None, "null_value") else getattr(value, kind)
