"""Make text of somebody else fit to be shown: it never moves the cursor or passes for ours.

What plugins print, say of themselves and give as errors goes to a terminal in the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TextIO

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether *stream* is a terminal that shows colour, and the user wants it.

    `NO_COLOR`, whatever its value, asks for none (https://no-color.org).
    """
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def printable(text: str, *, indent: str = "") -> str:
    """Return *text* without terminal sequences, control characters as escapes in hexadecimal.

    Args:
        text: Any text; line feeds and tabs stay.
        indent: What every line but the first begins with.
    """
    if text.isprintable():
        return text
    bare = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    shown = _CONTROLS.sub(lambda found: _escape(found.group()), bare)
    return shown.replace("\n", f"\n{indent}") if indent else shown


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
