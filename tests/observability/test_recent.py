"""The newest log lines of each plugin: complete, masked, bounded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from cdp_pipeline.config import Secrets
from cdp_pipeline.observability.logs import configure_logs, logger, mask_logs, recent_lines
from cdp_pipeline.observability.recent import RecentLines
from cdp_pipeline.runtimes.processes.logs import LogLines


@pytest.fixture(autouse=True)
def logging_left_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    mask_logs(dict)
    structlog.reset_defaults()


def said(lines: RecentLines, plugin: str, stage: str = "", after: int = 0) -> list[str]:
    return [line.message for line in lines.of(plugin, stage, after=after)]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_kept(log_format: str) -> None:
    """Lines are kept behind the mask: message, fields, and what a plugin prints."""
    configure_logs("json" if log_format == "json" else "text")
    mask_logs(Secrets().including(["s3cr3t-t0ken"]).masked)
    logger(plugin="kept@1.0.0").info("got s3cr3t-t0ken", key="s3cr3t-t0ken", tried=["s3cr3t-t0ken"])
    printed = LogLines(logger(plugin="kept@1.0.0"))
    printed.feed(
        "stderr", b'{"level":"error","message":"s3cr3t-t0ken","row":{"k":"s3cr3t-t0ken"}}\n'
    )
    lines = recent_lines().of("kept@1.0.0")[-2:]

    assert 2 == len(lines)
    assert "s3cr3t" not in repr(lines)
    assert "got ***" == lines[0].message


def test_what_a_plugin_prints_is_kept_with_level_and_fields() -> None:
    """A structured line keeps its level and fields, a plain one its stream."""
    configure_logs()
    printed = LogLines(logger(plugin="prints@1.0.0", stage="score"))
    printed.feed("stderr", b'{"level":"warning","message":"slow","rows":10}\nplain\n')
    slow, plain = recent_lines().of("prints@1.0.0")[-2:]

    assert ("warning", "slow", "score", "prints@1.0.0") == (
        slow.level,
        slow.message,
        slow.stage,
        slow.plugin,
    )
    assert {"rows": "10", "stream": "stderr"} == slow.fields
    assert slow.at.endswith("Z")
    assert ("plain", {"stream": "stderr"}) == (plain.message, plain.fields)


def test_lines_of_all_versions_belong_to_a_plugin() -> None:
    """A reload does not hide what the version before it said."""
    lines = RecentLines()
    lines.keep({"event": "old", "plugin": "enrich@1.0.0"})
    lines.keep({"event": "new", "plugin": "enrich@1.1.0"})
    lines.keep({"event": "other", "plugin": "enrich-more@1.1.0"})

    assert ["old", "new"] == said(lines, "enrich@1.1.0")


def test_a_stage_has_its_own_lines_and_those_of_its_plugin() -> None:
    """Lines of another stage with the same plugin are left out; lines of no stage are not."""
    lines = RecentLines()
    lines.keep({"event": "of a", "plugin": "p@1", "stage": "a"})
    lines.keep({"event": "of b", "plugin": "p@1", "stage": "b"})
    lines.keep({"event": "of both", "plugin": "p@1"})
    lines.keep({"event": "without plugin", "stage": "a"})
    lines.keep({"event": "of the host"})

    assert ["of a", "of both", "without plugin"] == said(lines, "p@1", "a")


def test_numbers_rise_over_all_plugins() -> None:
    """Who has read up to a number gets the rest by asking for what comes after it."""
    lines = RecentLines()
    for number in range(5):
        lines.keep({"event": str(number), "plugin": f"p{number % 2}@1"})

    assert 5 == lines.newest
    assert ["2", "4"] == said(lines, "p0@1", after=1)


def test_memory_is_bounded() -> None:
    """So many lines a plugin, so many plugins, so many characters and fields a line."""
    lines = RecentLines(lines=3, plugins=2)
    for number in range(10):
        lines.keep({"event": str(number), "plugin": "a@1"})
    long = {f"f{number}": "x" * 10_000 for number in range(100)}
    lines.keep({"event": "y" * 10_000, "plugin": "b@1", **long})
    kept = lines.of("b@1")[0]

    assert ["7", "8", "9"] == said(lines, "a@1")
    assert len(kept.message) < 2100
    assert 20 == len(kept.fields)
    assert all(len(value) < 600 for value in kept.fields.values())

    lines.keep({"event": "pushes out", "plugin": "c@1"})

    assert [] == said(lines, "a@1")
    assert ["pushes out"] == said(lines, "c@1")


def test_threads_may_write_at_once() -> None:
    """No line is lost or numbered twice when many threads write."""
    lines = RecentLines(lines=10_000)

    def write(name: str) -> None:
        for number in range(500):
            lines.keep({"event": str(number), "plugin": f"{name}@1"})

    threads = [threading.Thread(target=write, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [line.number for n in range(4) for line in lines.of(f"p{n}@1")]

    assert 2000 == lines.newest
    assert set(range(1, 2001)) == set(numbers)
