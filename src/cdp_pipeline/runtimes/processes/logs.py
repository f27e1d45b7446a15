"""What a plugin prints becomes log lines: bounded, and never in the plugin's way.

A line that is a JSON object with `level` and `message` is taken as such
(`spec/handshake.md`, section 1); any other line is the message. Long lines are cut; a flood
is counted instead of written. The last lines are kept, for the error if the plugin dies, and
before them the one that says why, where a program prints that before a long dump of its stacks.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from cdp_pipeline.observability.logs import LEVELS
from cdp_pipeline.observability.text import printable
from cdpplugin import PluginError, decode_json

Stream = Literal["stdout", "stderr"]

LINE_LIMIT_BYTES = 8192
LINES_PER_S = 200
BURST_LINES = 2000
KEPT_LINES = 20
DUMP_LINES = 500
_REASONS = ("fatal error: ", "panic: ")  # Go's
_CHUNK_BYTES = 65536
_OURS = frozenset(
    {"event", "level", "timestamp", "plugin", "stage", "pipeline", "message", "stream", "logger"}
    | {"self", "method_name", "exc_info", "stack_info", "exception", "stack"}
)
"""Fields of the host's own lines, and what its logger takes for something else than a field."""


class LogLines:
    """Turns bytes that a plugin prints into lines of *log*.

    Attributes:
        left_out: How many lines were not written, in all.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self.left_out = 0
        self._log = log
        self._clock = clock
        self._refilled_at = clock()
        self._room = float(BURST_LINES)
        self._unsaid = 0
        self._open: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._last: deque[str] = deque(maxlen=KEPT_LINES)
        self._reason: str | None = None
        self._since_reason = 0
        self._lock = threading.Lock()

    @property
    def last_lines(self) -> list[str]:
        """The last lines, oldest first; of structured ones the message."""
        with self._lock:
            lines = list(self._last)
            if self._reason is not None and self._reason not in lines:
                lines.insert(0, self._reason)
            return lines

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take what came on *stream*."""
        with self._lock:
            self._refill()
            room = int(self._room)
            # What is left out is counted, never taken apart: a flood shall not keep the host busy.
            *lines, rest = (self._open[stream] + data).split(b"\n", room)
            left_out = rest.count(b"\n")
            *last, rest = rest.rsplit(b"\n", KEPT_LINES) if left_out else (rest,)
            # A line without end is cut as it grows; a mark of one byte too many is kept.
            self._open[stream] = rest[: LINE_LIMIT_BYTES + 1]
            for line in lines:
                self._write(stream, line)
            self._room -= len(lines)
            self._leave_out(left_out, last)

    def close(self) -> None:
        """Write what has no end of line, and how much was left out."""
        with self._lock:
            for stream, rest in self._open.items():
                if rest:
                    self._write(stream, rest)
                    self._open[stream] = b""
            self._tell()

    def _refill(self) -> None:
        now = self._clock()
        self._room = min(BURST_LINES, self._room + (now - self._refilled_at) * LINES_PER_S)
        self._refilled_at = now
        if self._room >= LINES_PER_S:
            self._tell()

    def _leave_out(self, count: int, last: Sequence[bytes]) -> None:
        self._unsaid += count
        self.left_out += count
        for line in last:
            self._keep(_parsed(line.rpartition(b"\n")[2])[1])

    def _tell(self) -> None:
        if self._unsaid:
            self._log.warning("log lines left out: the plugin prints too much", lines=self._unsaid)
            self._unsaid = 0

    def _write(self, stream: Stream, line: bytes) -> None:
        if not line.strip():
            return
        level, message, fields = _parsed(line)
        self._keep(message)
        # A line that cannot be written, such as to a reader that has gone, must not end the
        # reading: the plugin would wait for ever at its next line.
        with suppress(Exception):
            getattr(self._log, level)(message, stream=stream, **fields)

    def _keep(self, message: str) -> None:
        self._last.append(message)
        self._since_reason += 1
        if message.startswith(_REASONS):
            self._reason, self._since_reason = message, 0
        elif self._since_reason > DUMP_LINES:
            self._reason = None


def _parsed(line: bytes) -> tuple[str, str, Mapping[str, Any]]:
    """Return level, message and fields of a line."""
    if line.startswith(b"{") and len(line) <= LINE_LIMIT_BYTES:
        try:
            found = decode_json(line)
        except PluginError:
            found = {}
        level, message = found.get("level"), found.get("message")
        if level in LEVELS and isinstance(message, str):
            fields = {_own(name): value for name, value in found.items()}
            return level, printable(message), {n: v for n, v in fields.items() if n}
    return "info", _text(line), {}


def _own(name: str) -> str:
    """Return the name under which a plugin's field is logged; the host's own stay the host's."""
    if name in ("level", "message", "plugin"):
        return ""
    return f"plugin_{name}" if name in _OURS else name


def _text(line: bytes) -> str:
    text = printable(line[:LINE_LIMIT_BYTES].decode(errors="replace").rstrip("\r"))
    return text + " ..." if len(line) > LINE_LIMIT_BYTES else text


class LogPump:
    """Reads what a process prints, on a thread: a busy host never blocks a plugin."""

    def __init__(self, lines: LogLines, stdout: int, stderr: int) -> None:
        self._lines = lines
        self._streams: dict[int, Stream] = {stdout: "stdout", stderr: "stderr"}
        self._thread = threading.Thread(target=self._run, name="plugin-log", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until the process has closed both streams."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for descriptor in self._streams:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    if not self._read(key.fd):
                        selector.unregister(key.fd)
                        os.close(key.fd)
        self._lines.close()

    def _read(self, descriptor: int) -> bool:
        data = os.read(descriptor, _CHUNK_BYTES)
        if data:
            self._lines.feed(self._streams[descriptor], data)
        return bool(data)
