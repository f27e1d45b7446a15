"""Find the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cdp_pipeline.errors import ConfigError

_CUTOFF = 0.6
_MOST_NAMES = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of *known* that *name* is most like, or None; case, `-` and `_` are equal."""
    by_plain: dict[str, str] = {}
    for candidate in known:
        by_plain.setdefault(_plain(candidate), candidate)
    found = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=_CUTOFF)
    return by_plain[found[0]] if found else None


def hint_of(name: str, known: Iterable[str]) -> str:
    """Return a hint for the unknown *name*: the nearest known one, else all of them."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"known are {listed(names)}" if names else ""


def unknown_name(kind: str, name: str, known: Iterable[str], where: str) -> ConfigError:
    """Return the error for a *name* that no *kind* (`source`, `plugin` ...) has."""
    hint = hint_of(name, known) or f"there is no {kind} to choose from"
    return ConfigError(
        f"unknown {kind} `{name}`", code="config.unknown_name", where=where, hint=hint
    )


def listed(names: Iterable[object]) -> str:
    """Return *names* in backticks, shortened where they are many."""
    quoted = list(dict.fromkeys(f"`{name}`" for name in names))
    more = len(quoted) - _MOST_NAMES
    return ", ".join(quoted[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")
