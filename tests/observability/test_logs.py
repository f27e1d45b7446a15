"""Log lines: one form and one mask, also for lines of libraries and connectors."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog

from cdp_pipeline.config import Secrets
from cdp_pipeline.observability.logs import configure_logs, logger, mask_logs
from cdp_pipeline.runtimes.processes.logs import LogLines

URL = "http://bob:hunter2pw@127.0.0.1:1/x"


@pytest.fixture(autouse=True)
def logging_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    mask_logs(dict)
    structlog.reset_defaults()


def test_lines_of_libraries_look_like_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of Python's `logging` becomes JSON with level, time, name and its `extra` fields."""
    configure_logs("json")
    logging.getLogger("some.connector").warning("retry %d of %d", 1, 5, extra={"wait_s": 0.4})
    line = json.loads(capsys.readouterr().err)

    assert ("retry 1 of 5", "warning", "some.connector") == (
        line["event"],
        line["level"],
        line["logger"],
    )
    assert "timestamp" in line
    assert 0.4 == line["wait_s"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_are_masked_whoever_writes_them(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    """Passwords of URLs and known secrets are hidden in text, fields, nested data and objects."""
    configure_logs("json" if log_format == "json" else "text")
    mask_logs(Secrets().including(["s3cr3t-t0ken"]).masked)
    logging.getLogger("lake").warning("retry 1: GET %s with s3cr3t-t0ken", URL)
    logger().info("failed", error=ValueError(URL), tried=[{"url": URL}], key="s3cr3t-t0ken")
    shown = capsys.readouterr().err

    assert "hunter2pw" not in shown
    assert "s3cr3t-t0ken" not in shown
    assert "retry 1: GET http://bob:***@127.0.0.1:1/x" in shown


def test_the_level_holds_for_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    """`--log-level error` silences a library's warning; `debug` lets its debug line pass."""
    configure_logs(level="error")
    logging.getLogger("lake").warning("unheard")
    configure_logs(level="debug")
    logging.getLogger("lake").debug("heard")
    shown = capsys.readouterr().err

    assert "unheard" not in shown
    assert "heard" in shown


def test_lines_follow_stderr() -> None:
    """A live display puts itself in the place of stderr; lines go where it says."""
    configure_logs()
    elsewhere = io.StringIO()
    with redirect_stderr(elsewhere):
        logger().info("from the host")
        logging.getLogger("lake").warning("from a library")

    assert sys.stderr is not elsewhere
    assert "from the host" in elsewhere.getvalue()
    assert "from a library" in elsewhere.getvalue()


@pytest.mark.parametrize("name", ["self", "method_name", "exc_info", "event", "stream"])
def test_a_plugins_field_that_is_the_loggers_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A field may have any name; none is taken for an argument of the host's logger."""
    configure_logs("json")
    lines = LogLines(logger(plugin="x@1"))
    lines.feed("stdout", json.dumps({"level": "info", "message": "m", name: [1]}).encode() + b"\n")
    line = json.loads(capsys.readouterr().err)

    assert ("m", [1]) == (line["event"], line[f"plugin_{name}"])


def test_a_line_never_looks_like_two(capsys: pytest.CaptureFixture[str]) -> None:
    """A message of several lines is indented, and moves no cursor: nobody forges our lines."""
    configure_logs()
    logger().info("one\n2026-01-01T00:00:00Z [error    ] forged \x1b[2J")
    first, second = capsys.readouterr().err.splitlines()

    assert first.endswith("one")
    assert second.startswith("  | 2026-01-01")
    assert "\x1b" not in second
