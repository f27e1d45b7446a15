"""JSON by msgspec: what every process uses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from typing import Any

import msgspec

from cdpplugin.json.plain import not_decoded, not_encoded, not_finite, plain

_NEVER_NAN = frozenset({type(None), bool, int, str, bytes})


def _is_finite(value: Any) -> bool:
    """Tell whether no number within *value*, which can be encoded, is NaN or an infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return _are_finite(value.values()) and _are_finite(value)
    if isinstance(value, (list, tuple, Set)):
        return _are_finite(value)
    held = msgspec.to_builtins(value, enc_hook=plain)
    return type(held) is type(value) or _is_finite(held)


def _are_finite(values: Iterable[Any]) -> bool:
    return all(type(each) in _NEVER_NAN or _is_finite(each) for each in values)


_encoder = msgspec.json.Encoder(enc_hook=plain)
_decoder = msgspec.json.Decoder()


def encode_json(value: Any) -> bytes:
    """Return *value* as compact UTF-8 JSON; numpy scalars are taken for what they hold.

    Whole numbers of any size are exact; bytes become base64 text; sets become lists.

    Raises:
        PayloadInvalid: It holds something JSON has no form for, such as NaN or an infinity.
    """
    try:
        text = _encoder.encode(value)
        # The encoder writes NaN as null. Few texts hold that word, so that few are looked at.
        if b"null" in text and not _is_finite(value):
            raise not_finite()
        return text
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise not_encoded(error) from error


def decode_json(text: bytes | str) -> Any:
    """Return the Python value that *text* stands for.

    Whole numbers of any size are exact; one beyond the range of a float is refused.

    Raises:
        PayloadInvalid: It is not JSON (RFC 8259), or nested too deeply to be read.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise not_decoded(error) from error


decode_many = decode_json
"""The value of a text of many messages; see `cdpplugin.json.standard`."""
