"""Structured log lines: JSON when a host listens, readable text when a person does.

    log = cdpplugin.get_logger()
    log.info("scored", rows=10, model="v2")

In a plugin's own process (`PLUGIN_MODE=grpc`) and in a component each line is a JSON object
with `level` and `message` on standard error, which the host takes as such (`spec/handshake.md`).
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Literal

from cdpplugin.payloads import PayloadInvalid, encode_json

Level = Literal["debug", "info", "warning", "error"]

traceparent: ContextVar[str] = ContextVar("traceparent", default="")
"""W3C trace context of the call in progress, or empty; every line of the call carries it."""


Sink = Callable[[Level, str, dict[str, Any]], None]
"""Takes a line: its level, what happened, and its fields."""

_sinks: list[Sink] = []


def send_lines_to(sink: Sink | None) -> None:
    """Hand every line to *sink*: what a host does with the lines of its native plugins."""
    _sinks[:] = [] if sink is None else [sink]


class Logger:
    """Writes log lines with fields."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def bind(self, **fields: Any) -> Logger:
        """Return a logger whose lines carry *fields* too."""
        return Logger(**(self._fields | fields))

    def debug(self, message: str, **fields: Any) -> None:
        """Write what only a developer wants to see."""
        _write("debug", message, self._fields | fields)

    def info(self, message: str, **fields: Any) -> None:
        """Write what happens."""
        _write("info", message, self._fields | fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Write what somebody should look at."""
        _write("warning", message, self._fields | fields)

    def error(self, message: str, **fields: Any) -> None:
        """Write what went wrong."""
        _write("error", message, self._fields | fields)


def get_logger(**fields: Any) -> Logger:
    """Return a logger whose lines carry *fields*."""
    return Logger(**fields)


def _write(level: Level, message: str, fields: dict[str, Any]) -> None:
    if trace := traceparent.get():
        fields.setdefault("traceparent", trace)
    structured = os.environ.get("PLUGIN_MODE") == "grpc" or sys.platform == "wasi"
    if _sinks:
        _sinks[0](level, message, fields)
        return
    line = _json(level, message, fields) if structured else _text(level, message, fields)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _json(level: Level, message: str, fields: dict[str, Any]) -> str:
    line = fields | {"level": level, "message": message}
    try:
        return encode_json(line).decode()
    except PayloadInvalid:
        told = {name: str(value) for name, value in line.items()}
        return encode_json(told).decode(errors="replace")


def _text(level: Level, message: str, fields: dict[str, Any]) -> str:
    facts = "".join(f" {name}={value}" for name, value in fields.items())
    return f"{level}: {message}{facts}"


class LogHandler(logging.Handler):
    """Turns lines of the standard library's `logging` into structured ones."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; it never fails the code that logs."""
        try:
            fields: dict[str, Any] = {"logger": record.name}
            if record.exc_info:
                fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
            _write(_level(record.levelno), record.getMessage(), fields)
        except Exception:
            self.handleError(record)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def take_over_logging() -> None:
    """Let the standard library's root logger write structured lines, unless it is set up."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(LogHandler())
        root.setLevel(logging.INFO)
