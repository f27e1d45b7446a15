"""Log lines: for people or for machines, always on stderr, always with the same field names.

Fields: `event` (what happened), `level`, `timestamp`, and where they apply `pipeline`,
`stage`, `plugin` (`name@version`), `position`, `code`, `hint`.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog

LogFormat = Literal["text", "json"]
LEVELS = ("debug", "info", "warning", "error")


def configure_logs(log_format: LogFormat = "text", level: str = "info") -> None:
    """Send every log line of this process to stderr in *log_format*."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger(**fields: Any) -> Any:
    """Return a logger whose lines carry *fields*."""
    return structlog.get_logger(**fields)
