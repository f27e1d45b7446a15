"""Durations and sizes as people write them: `30s`, `1h30m`, `100MB`, `4MiB`."""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite

_DURATION_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE_BYTES = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse_duration_s(text: str | float) -> float:
    """Return a duration in seconds; a bare number is seconds.

    Raises:
        ValueError: It is not a duration, or negative.
    """
    try:
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            seconds = float(text)
        else:
            seconds = _duration_words_s(str(text).strip())
    except OverflowError:
        seconds = float("inf")
    if seconds < 0 or not isfinite(seconds):
        raise ValueError(f"expected a finite duration of 0 or more, got `{text}`")
    return seconds


def _duration_words_s(words: str) -> float:
    parts = _DURATION.findall(words)
    if not parts or "".join(number + unit for number, unit in parts) != words.replace(" ", ""):
        raise ValueError(f"expected a duration such as `500ms`, `30s` or `1h30m`, got `{words}`")
    return sum(float(number) * _DURATION_S[unit] for number, unit in parts)


def parse_size_bytes(text: str | int) -> int:
    """Return a size in whole bytes; a bare number is bytes; KB is 1000 and KiB is 1024 bytes.

    Raises:
        ValueError: It is not a size, or negative.
    """
    match = _SIZE.fullmatch(str(text).strip())
    unit = _SIZE_BYTES.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise ValueError(f"expected a size such as `100MB` or `4MiB`, got `{text}`")
    return int(Fraction(match[1]) * unit)
