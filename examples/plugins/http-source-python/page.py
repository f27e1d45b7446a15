"""The records of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from settings import Settings

from cdpplugin import PluginError, decode_json, encode_json

SHOWN_CHARACTERS = 200
"""How much of an answer that cannot be used is shown."""


@dataclass(frozen=True)
class Record:
    """One record of a page."""

    payload: Any
    cursor: str


def records_of(body: bytes, content_type: str, settings: Settings) -> list[Record]:
    """Return the records of a page, each with its cursor.

    Raises:
        PluginError: The page is no JSON, or its records are not where the settings say. The
            message tells what came.
    """
    try:
        page = decode_json(body)
    except PluginError:
        hint = "see that `url` is that of the API, not of a page for people"
        raise _fault(
            settings, "not_json", f"expected JSON, got {shown(body, content_type)}", hint
        ) from None
    found = at(page, settings.records)
    if not isinstance(found, list):
        hint = "set `records` to where the list of records is in the page"
        expected = f"expected a list at `{settings.records}`"
        raise _fault(
            settings, "records_missing", f"{expected}, got {shown(body, content_type)}", hint
        )
    return [_record(each, number, settings) for number, each in enumerate(found, 1)]


def _record(payload: Any, number: int, settings: Settings) -> Record:
    cursor = at(payload, settings.cursor_field)
    is_number = isinstance(cursor, int | float) and not isinstance(cursor, bool)
    if is_number or (isinstance(cursor, str) and cursor):
        return Record(payload, str(cursor))
    hint = "set `cursor_field` to where a record has its cursor"
    expected = f"expected a text or a number at `{settings.cursor_field}` of record {number}"
    raise _fault(settings, "cursor_missing", f"{expected}, got {shown(encode_json(payload))}", hint)


def _fault(settings: Settings, code: str, message: str, hint: str) -> PluginError:
    return PluginError(f"{settings.place}: {message}", code=f"http_source.{code}", hint=hint)


def at(value: Any, path: str) -> Any:
    """Return the value at a dotted *path*, or None; an empty one is *value* itself."""
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def shown(body: bytes, content_type: str = "") -> str:
    """Return the beginning of an answer, for people."""
    text = " ".join(body[:SHOWN_CHARACTERS].decode("utf-8", "replace").split())
    return f"{content_type} `{text or '(nothing)'}`".strip()
