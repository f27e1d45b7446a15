r"""Undoes the escapes of SEP-51 strings and writes the field's enum names.

SEP-51 writes an XDR string as ASCII with `\0 \t \n \r \\` and `\xNN`; rows hold the text.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
_NAMED = {b"0": b"\0", b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\"}


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match.group(1)
    if len(code) == 3:
        return bytes((int(code[1:], 16),))
    return _NAMED.get(code, code)


def string_bytes(escaped: str) -> bytes:
    """Return the bytes of an XDR string from its SEP-51 form."""
    raw = escaped.encode("utf-8")
    return _ESCAPE.sub(_unescaped, raw) if b"\\" in raw else raw


def string_text(escaped: str) -> str:
    """Return an XDR string as text; bytes that are not UTF-8 become U+FFFD."""
    if "\\" not in escaped:
        return escaped
    return string_bytes(escaped).decode("utf-8", errors="replace")


@lru_cache(maxsize=1024)
def camel(snake: str) -> str:
    """Turn a SEP-51 name into the form enum columns use: `too_few_offers` to `TooFewOffers`."""
    return "".join(word.capitalize() for word in snake.split("_"))
