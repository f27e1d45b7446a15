"""`flowctl run`: what it prints, where, in which form, and with which exit code it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests._flowctl import finish, flowctl, running
from tests._workshop import Workshop

PRINTING = """
import os
import cdpplugin

print("a line while it is loaded")

@cdpplugin.processor("chatty", "1.0.0")
def chatty(message):
    print("a line per message")
    os.write(1, b"from native code\\n")
    return message
"""


@pytest.fixture
def lines(workshop: Workshop) -> dict[str, Any]:
    """A pipeline that prints three lines."""
    (workshop.folder / "in.jsonl").write_text("".join(f'{{"n":{n}}}\n' for n in range(1, 4)))
    return {
        "source": {"type": "jsonl", "config": {"path": "in.jsonl"}},
        "pipeline": [{"type": "stdout", "config": {"content": "payload"}}],
    }


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestStandardOutput:
    def test_belongs_to_the_messages(self, workshop: Workshop, lines: dict[str, Any]) -> None:
        """What a plugin prints becomes log lines; stdout holds messages only."""
        (workshop.folder / "chatty.py").write_text(PRINTING)
        lines["plugins"] = [{"name": "chatty", "path": "chatty.py"}]
        lines["pipeline"].insert(0, {"plugin": "chatty"})
        done = workshop.run("chatty", **lines)

        assert 0 == done.code, done.err
        assert [{"n": 1}, {"n": 2}, {"n": 3}] == records(done.out)
        assert 3 == done.err.count("a line per message")
        assert "a line while it is loaded" in done.err
        assert "from native code" in done.err


class TestJsonLogs:
    def test_every_line_is_json(self, workshop: Workshop, lines: dict[str, Any]) -> None:
        """A run that fails tells its faults and its end as JSON, code and message included."""
        lines["pipeline"].insert(0, {"type": "filter", "config": {"where": "payload.x > 1"}})
        done = flowctl("run", workshop.write("fails", **lines), "--log-format", "json")
        [error] = [line for line in records(done.err) if line["event"] != "run ended"][-1:]
        ended = records(done.err)[-1]

        assert done.code != 0
        assert "error" == error["level"]
        assert error["code"] == ended["faults"][0]["code"]
        assert error["event"] == ended["faults"][0]["message"]
        assert done.code == ended["exit_code"]

    def test_also_where_nothing_starts(self, tmp_path: Path) -> None:
        """A file that is not there, and a level that does not exist."""
        missing = flowctl("run", tmp_path / "none.yaml", "--log-format", "json")
        level = flowctl("run", "x.yaml", "--log-format", "json", "--log-level", "loud")

        assert ["config.unreadable"] == [line["code"] for line in records(missing.err)]
        assert ["usage.invalid"] == [line["code"] for line in records(level.err)]


class TestSettings:
    def test_are_read(self, workshop: Workshop, lines: dict[str, Any]) -> None:
        """`flowctl.yaml` and FLOWCTL_* variables choose the format of logs; arguments win."""
        file = workshop.write("lines", **lines)
        (workshop.folder / "flowctl.yaml").write_text("log_format: json\nregistry: {url: x}\n")
        chosen = flowctl("run", file, cwd=workshop.folder)
        text = flowctl("run", file, "--log-format", "text", cwd=workshop.folder)
        environ = flowctl("run", file, cwd=workshop.folder, env={"FLOWCTL_LOG_FORMAT": "text"})

        assert "`registry` is not used by this version" in records(chosen.err)[0]["event"]
        assert "run ended" == records(chosen.err)[-1]["event"]
        assert "nothing moved" in text.err
        assert "nothing moved" in environ.err

    def test_that_are_wrong_are_told(self, workshop: Workshop, lines: dict[str, Any]) -> None:
        """`run` and `validate` refuse a wrong setting at its place."""
        file = workshop.write("lines", **lines)
        (workshop.folder / "wrong.yaml").write_text("log_format: xml\n")
        for command in ("run", "validate"):
            done = flowctl(command, file, "--settings", "wrong.yaml", cwd=workshop.folder)

            assert 2 == done.code
            assert "wrong.yaml:1:13" == done.fault.where


class TestStopping:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
    )
    def test_a_range_left_unfinished_is_no_success(
        self, workshop: Workshop, number: int, code: int
    ) -> None:
        """A script must not go on with a part of its range: 128 and the signal's number."""
        lake = workshop.folder / "lake"
        flowctl("lake", "generate", "--ledgers", "5", "--out", lake)
        beyond = {"path": str(lake), "start": 2, "end": 1000, "poll_interval": "50ms"}
        file = workshop.write(
            "half",
            source={"type": "galexie", "config": beyond},
            pipeline=["latest-ledger", "stdout"],
        )
        with running("run", file) as process:
            assert process.stderr is not None
            assert b"until=1000" in process.stderr.readline()
            process.send_signal(number)
            done = finish(process)

        assert code == done.code, done.err
        assert "stopped on request" in done.err

    def test_a_stream_without_an_end_is_done_when_it_is_stopped(
        self, workshop: Workshop, lines: dict[str, Any]
    ) -> None:
        """Nothing was left undone: exit 0."""
        lines["source"]["config"]["follow"] = True
        with running("run", workshop.write("follow", **lines)) as process:
            assert process.stderr is not None
            assert b"run started" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            done = finish(process)

        assert 0 == done.code, done.err
