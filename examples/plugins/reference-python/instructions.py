"""The errors that a payload or a configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdpplugin import Fatal, PluginError, Retry

INSTRUCTIONS = ("fail", "retry", "fatal", "panic")


def instruction(kind: str, wanted: Mapping[str, Any]) -> Exception:
    """Return the error that *kind* names, with what *wanted* says of it."""
    code, hint = wanted.get("code"), wanted.get("hint")
    if kind == "retry":
        message = wanted.get("message", "busy")
        return Retry(message, after_s=wanted.get("after_s"), code=code, hint=hint)
    if kind == "panic":
        return RuntimeError(wanted.get("message", "panicked"))
    kinds = {"fail": PluginError, "fatal": Fatal}
    return kinds[kind](wanted.get("message", "failed"), code=code, hint=hint)


def start_failure(kind: str) -> Exception:
    """Return what the key `start` of a configuration asks for."""
    if kind == "panic":
        return RuntimeError("start panicked")
    wanted = {"code": "reference.start", "hint": "start it otherwise"}
    return instruction(kind, {"message": "cannot start", **wanted})


def read_failure(kind: str, position: int) -> Exception:
    """Return what a source fails with at *position*."""
    if kind == "panic":
        return RuntimeError(f"reading panicked at {position}")
    wanted = {"code": "reference.read", "hint": "read it later"}
    return instruction(kind, {"message": f"cannot read position {position}", **wanted})
