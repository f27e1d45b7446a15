"""JSON by the standard library: what a WebAssembly component uses.

It gives the values that msgspec gives and refuses what that refuses; floats are written as
Python writes them (`1e+16`), which is the same number.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from enum import Enum
from typing import Any

from cdpplugin.json.plain import not_decoded, not_encoded, not_finite, plain, unwritable

DEPTH = 800
"""Deepest nesting that is read."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escaped half of a character; alone it is no text."""
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
_DATES = (datetime.datetime, datetime.date, datetime.time)


def encode_json(value: Any) -> bytes:
    """Return *value* as compact UTF-8 JSON; numpy scalars are taken for what they hold.

    Whole numbers of any size are exact; bytes become base64 text; sets become lists.

    Raises:
        PayloadInvalid: It holds something JSON has no form for, such as NaN or an infinity.
    """
    try:
        return _text(value).encode()
    except ValueError as error:
        raise _refusal(error) from error
    except (TypeError, OverflowError, RecursionError) as error:
        raise not_encoded(error) from error


def _text(value: Any) -> str:
    try:
        text = _encode(value)
        if '"null":' in text or '"true":' in text or '"false":' in text:
            # Such keys may have been None, True or False, which no JSON key is.
            return _encode(_with_text_keys(value))
        return text
    except TypeError:  # a key that is neither a text nor a number
        return _encode(_with_text_keys(value))


def _refusal(error: ValueError) -> Exception:
    return not_finite() if str(error).startswith("Out of range float") else not_encoded(error)


def _plain(value: Any) -> Any:
    """Return what stands for *value*, of a type that the library has no form for."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if isinstance(value, Set):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _DATES):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.timedelta):
        return _duration(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    # By their names: both are large modules that few plugins need.
    if (type(value).__module__, type(value).__name__) in (("uuid", "UUID"), ("decimal", "Decimal")):
        return str(value)
    return plain(value)


def _duration(value: datetime.timedelta) -> str:
    """Return *value* as an ISO 8601 duration of days and seconds."""
    sign, held = ("-", -value) if value < datetime.timedelta() else ("", value)
    days = f"{held.days}D" if held.days or not held else ""
    fraction = f".{held.microseconds:06d}".rstrip("0") if held.microseconds else ""
    seconds = f"T{held.seconds}{fraction}S" if held.seconds or fraction else ""
    return f"{sign}P{days}{seconds}"


def _with_text_keys(value: Any) -> Any:
    """Return *value* with keys that are texts, everywhere in it.

    Raises:
        PayloadInvalid: A key stands for neither a text nor a number.
    """
    if isinstance(value, Mapping):
        return {_key(name): _with_text_keys(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_text_keys(each) for each in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return _with_text_keys(_plain(value))


def _key(name: Any) -> str:
    if name is None or isinstance(name, bool):
        raise unwritable(name)
    if isinstance(name, Enum):
        return _key(name.value)
    if isinstance(name, (str, int, float)):
        return name if isinstance(name, str) else repr(name)
    if isinstance(name, (tuple, frozenset)):
        raise unwritable(name)
    return _key(_plain(name))


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:20]} is beyond the range of a float")
    return number


def _refuse(word: str) -> Any:
    raise ValueError(f"`{word}` is no JSON")


_Scan = Callable[[Any, int], Iterable[str]]

_open: dict[int, Any] = {}
"""The containers that are being written, by which the encoder tells a circle."""


def _make_scan() -> _Scan:
    """Return the encoder in C itself: to ask the library for one each time takes as long again."""
    encoder = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
    )
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return lambda value, _: (encoder.encode(value),)
    quote = json.encoder.encode_basestring
    scan: _Scan = make(_open, _plain, quote, None, ":", ",", False, False, False)
    return scan


_scan = _make_scan()


def _encode(value: Any) -> str:
    try:
        return "".join(_scan(value, 0))
    except BaseException:
        _open.clear()
        raise


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse).decode


def decode_json(text: bytes | str) -> Any:
    """Return the Python value that *text* stands for.

    Whole numbers of any size are exact; one beyond the range of a float is refused.

    Raises:
        PayloadInvalid: It is not JSON (RFC 8259), or nested too deeply to be read.
    """
    try:
        held = text if isinstance(text, str) else bytes(text).decode()
        if held.count("[") + held.count("{") > DEPTH:
            _check_depth(held)
        return _decoded(held)
    except (ValueError, RecursionError) as error:
        raise not_decoded(error) from error


def decode_many(text: bytes | str) -> Any:
    """Return the value of a text of many messages.

    How deep it is nested is not looked at: that would take longer than to read it.

    Raises:
        PayloadInvalid: It is not JSON.
    """
    try:
        return _decoded(text if isinstance(text, str) else bytes(text).decode())
    except (ValueError, RecursionError) as error:
        raise not_decoded(error) from error


def _decoded(text: str) -> Any:
    value = _decode(text)
    if not text.isascii():
        text.encode()
    if _SURROGATE.search(text):
        _encode(value).encode()
    return value


def _check_depth(text: str) -> None:
    depth = 0
    for found in _BRACKETS.finditer(text):
        bracket = found[0][0]
        if bracket != '"':
            depth += 1 if bracket in "[{" else -1
            if depth > DEPTH:
                raise ValueError(f"nested more than {DEPTH} deep")
