"""Raise what a payload or a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from cdpplugin import Fatal, PluginError, Retry


def instruct(kind: str, wanted: Mapping[str, Any]) -> NoReturn:
    """Raise the error that *kind* names, with what *wanted* says of it.

    Raises:
        PluginError: For `fail`, `retry` and `fatal`.
        RuntimeError: For `panic`.
    """
    code, hint = wanted.get("code"), wanted.get("hint")
    if kind == "retry":
        message = wanted.get("message", "busy")
        raise Retry(message, after_s=wanted.get("after_s"), code=code, hint=hint)
    if kind == "panic":
        raise RuntimeError(wanted.get("message", "panicked"))
    kinds = {"fail": PluginError, "fatal": Fatal}
    raise kinds[kind](wanted.get("message", "failed"), code=code, hint=hint)


def instruct_start(kind: str) -> None:
    """Raise what the key `start` of a configuration asks for, if it asks for anything."""
    if kind == "panic":
        raise RuntimeError("start panicked")
    if kind:
        wanted = {"code": "reference.start", "hint": "start it otherwise"}
        instruct(kind, {"message": "cannot start", **wanted})
