"""Log lines of plugins."""

from __future__ import annotations

import json

import pytest

from cdpplugin import get_logger
from cdpplugin.log import send_lines_to, traceparent


@pytest.fixture(autouse=True)
def _no_host() -> None:
    """Start without the sink that a host in this process may have set."""
    send_lines_to(None)


class TestStructured:
    def test_a_line_is_an_object(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a host listens, a line is one JSON object with level, message and fields."""
        monkeypatch.setenv("PLUGIN_MODE", "grpc")
        get_logger(part="a").bind(run=1).warning("two\nlines", rows=3)
        line = capsys.readouterr().err
        assert 1 == line.count("\n")
        expected = {"level": "warning", "message": "two\nlines", "part": "a", "run": 1, "rows": 3}
        assert expected == json.loads(line)

    def test_a_field_never_fails_the_plugin(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A field that JSON has no form for is written as text."""
        monkeypatch.setenv("PLUGIN_MODE", "grpc")
        get_logger().info("odd", thing=object)
        assert "<class 'object'>" == json.loads(capsys.readouterr().err)["thing"]

    def test_trace_context(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A line of a call carries the call's trace context."""
        monkeypatch.setenv("PLUGIN_MODE", "grpc")
        token = traceparent.set("00-1-2-01")
        try:
            get_logger().info("here")
        finally:
            traceparent.reset(token)
        assert "00-1-2-01" == json.loads(capsys.readouterr().err)["traceparent"]


class TestReadable:
    def test_text(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Elsewhere a line is text for people."""
        monkeypatch.delenv("PLUGIN_MODE", raising=False)
        get_logger().error("no model", path="/m")
        assert "error: no model path=/m\n" == capsys.readouterr().err

    def test_a_host_takes_the_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A host hands the lines of its native plugins to its own log."""
        taken: list[tuple[str, str, dict[str, object]]] = []
        send_lines_to(lambda level, message, fields: taken.append((level, message, fields)))
        get_logger(part="a").info("scored", rows=3)
        send_lines_to(None)
        assert [("info", "scored", {"part": "a", "rows": 3})] == taken
        assert "" == capsys.readouterr().err
