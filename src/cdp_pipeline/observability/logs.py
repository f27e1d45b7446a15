"""Log lines: for people or for machines, always on stderr, always with the same field names.

Fields: `event` (what happened), `level`, `timestamp`, and where they apply `pipeline`,
`stage`, `plugin` (`name@version`), `position`, `code`, `hint`; `logger` for lines of libraries
and connectors, which use Python's `logging`. Every field passes the mask before it is written,
and before it is kept among the recent lines.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from cdp_pipeline.observability.recent import RecentLines
from cdp_pipeline.observability.text import printable, wants_color
from cdpplugin.log import send_lines_to

LogFormat = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")
_OF_EVERY_RECORD = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "logger", "level", "timestamp"}
)
Mask = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class _Stderr:
    """Standard error as it is at each write: a live display puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


@dataclass(slots=True)
class _Settings:
    """What holds for every line of this process."""

    log_format: LogFormat = "text"
    mask: Mask = dict


class _Forwarding(logging.Handler):
    """Hands the lines of Python's `logging` over, so that they look like all others."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            # Its arguments do not fit; they may hold a secret, so the template alone is shown.
            text = str(record.msg)
        log = logger().bind(logger=record.name)
        log.log(_level(record.levelno), text, **_fields(record))


def _level(number: int) -> int:
    """Return the standard level at or below *number*: structlog knows no others."""
    return max(10, min(50, number // 10 * 10))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the caller gave as `extra`, and the traceback where there is one."""
    given = {k: v for k, v in vars(record).items() if k not in _OF_EVERY_RECORD and k != "event"}
    return given | ({"exc_info": record.exc_info} if record.exc_info else {})


_stderr: Any = _Stderr()
_settings = _Settings()
_forwarding = _Forwarding()
_recent = RecentLines()


def configure_logs(log_format: LogFormat = "text", level: str = "info") -> None:
    """Send every log line of this process, also those of `logging`, to stderr in *log_format*."""
    _settings.log_format = log_format
    renderers: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            _made_printable,
            structlog.dev.ConsoleRenderer(colors=wants_color(sys.stderr, os.environ)),
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _masked,
            _kept,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=_stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    if _forwarding not in root.handlers:
        root.addHandler(_forwarding)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of each change it sees
    send_lines_to(lambda level, message, fields: getattr(logger(**fields), level)(message))


def mask_logs(mask: Mask) -> None:
    """Pass the fields of every line from now on through *mask*, which hides secrets."""
    _settings.mask = mask


def masked(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return plain data as a log line would show it: without secrets."""
    return _settings.mask(fields)


def log_format() -> LogFormat:
    """Return how log lines of this process are written."""
    return _settings.log_format


def recent_lines() -> RecentLines:
    """Return the newest lines of this process's plugins."""
    return _recent


def logger(**fields: Any) -> Any:
    """Return a logger whose lines carry *fields*."""
    return structlog.get_logger(**fields)


def _masked(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return dict(_settings.mask({key: _plain(value) for key, value in fields.items()}))


def _kept(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    _recent.keep(fields)
    return fields


def _made_printable(
    _logger: Any, _method: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Let no line look like two, or move the cursor; the renderer quotes the values itself."""
    shown = {printable(key).replace("\n", " "): value for key, value in fields.items()}
    for key in ("event", "exception", "stack"):
        if isinstance(shown.get(key), str):
            shown[key] = printable(shown[key], indent="  | ")
    return shown


def _plain(value: Any) -> Any:
    """Return *value*, objects as their text: a mask looks into plain data only."""
    plain = (str, int, float, list, tuple, Mapping, type(None))
    return value if isinstance(value, plain) else str(value)
