"""Fill `${NAME}` and `${NAME:-default}` in one text.

The default is used where the variable is unset or empty, as in a shell; it may contain
further variables. `$$` stands for `$`; a `$` before anything else is itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TemplateInvalid(ValueError):
    """`${` is not followed by a name and `}`."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A text whose variables have been filled in.

    Attributes:
        text: The result.
        variables: Names of the variables that stood in it, also where a default was used.
        missing: Those of them that are not set and have no default.
        values: What the environment gave for each variable that is set.
        whole: Whether the text was one variable and nothing else.
    """

    text: str
    variables: tuple[str, ...]
    missing: tuple[str, ...]
    values: Mapping[str, str]
    whole: bool


def fill(text: str, environ: Mapping[str, str]) -> Filled:
    """Return *text* with its variables taken from *environ*.

    Raises:
        TemplateInvalid: `${` is not followed by a name and `}`.
    """
    filler = _Filler(text, environ)
    try:
        result = filler.until_end()
    except RecursionError:
        raise TemplateInvalid from None
    values = {name: environ[name] for name in filler.variables if name in environ}
    return Filled(
        text=result,
        variables=tuple(filler.variables),
        missing=tuple(filler.missing),
        values=values,
        whole=filler.whole,
    )


class _Filler:
    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self.variables: list[str] = []
        self.missing: list[str] = []
        self.whole = False
        self._text = text
        self._at = 0
        self._environ = environ

    def until_end(self) -> str:
        return self._part(stop="", used=True)

    def _part(self, stop: str, used: bool) -> str:
        """Read literal text and variables up to *stop*; unused defaults miss nothing."""
        parts: list[str] = []
        while self._at < len(self._text) and self._text[self._at] != stop:
            if self._text.startswith("$$", self._at):
                parts.append("$")
                self._at += 2
            elif self._text.startswith("${", self._at):
                parts.append(self._variable(used))
            else:
                parts.append(self._text[self._at])
                self._at += 1
        return "".join(parts)

    def _variable(self, used: bool) -> str:
        start = self._at
        match = _NAME.match(self._text, start + 2)
        if match is None:
            raise TemplateInvalid
        name = match[0]
        self._at = match.end()
        value = self._environ.get(name)
        self.variables.append(name)
        default = self._default(used and not value)
        if self._text[self._at : self._at + 1] != "}":
            raise TemplateInvalid
        self._at += 1
        self.whole = start == 0 and self._at == len(self._text)
        if default is not None and not value:
            return default
        if value is None and used:
            self.missing.append(name)
        return value or ""

    def _default(self, used: bool) -> str | None:
        if not self._text.startswith(":-", self._at):
            return None
        self._at += 2
        return self._part(stop="}", used=used)
