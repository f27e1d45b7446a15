"""Run `flowctl` as a user does: the installed command, in a process of its own."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("flowctl"))
BOUND_S = 90.0
BUILD_BOUND_S = 300.0
"""Longest time for what builds a plugin first, on a machine that is busy."""
"""Longest time anything here may take; a hang fails, a slow machine does not."""
_FAULT = re.compile(r"error\[(?P<code>[a-z_]+(\.[a-z_]+)*)\]: (?P<message>.+)")


@dataclass(frozen=True)
class Fault:
    """One error as it was shown."""

    code: str
    message: str
    where: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Finished:
    """A command that ended.

    Attributes:
        code: Exit code; negative where a signal ended it.
        out: What it wrote to stdout.
        err: What it wrote to stderr.
    """

    code: int
    out: str
    err: str

    @property
    def faults(self) -> list[Fault]:
        """The errors on stderr, told apart by their grammar."""
        found: list[Fault] = []
        lines = self.err.splitlines()
        for number, line in enumerate(lines):
            if match := _FAULT.fullmatch(line):
                where, hint = _details(lines[number + 1 : number + 3])
                found.append(Fault(match["code"], match["message"], where, hint))
        return found

    @property
    def fault(self) -> Fault:
        """The one error that was shown."""
        assert len(self.faults) == 1, self.err
        return self.faults[0]


def _details(lines: Sequence[str]) -> tuple[str, str]:
    where = hint = ""
    for line in lines:
        if line.startswith("  at ") and not where and not hint:
            where = line.removeprefix("  at ")
        elif line.startswith("  hint: ") and not hint:
            hint = line.removeprefix("  hint: ")
        else:
            break
    return where, hint


def start(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] = {}, **streams: Any
) -> subprocess.Popen[bytes]:
    """Start `flowctl` with *arguments*; stdin is empty unless *streams* says otherwise."""
    given = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        **streams,
    }
    command = [COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env={**os.environ, **env}, **given)


def finish(
    process: subprocess.Popen[bytes], stdin: bytes | None = None, *, bound_s: float = BOUND_S
) -> Finished:
    """Wait for *process*, and require that it shows nobody a traceback."""
    try:
        out, err = process.communicate(stdin, timeout=bound_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        out, err = process.communicate()
        raise AssertionError(f"no end within {bound_s:g} s\n{err.decode()}") from None
    finished = Finished(process.returncode, (out or b"").decode(), (err or b"").decode())
    assert "Traceback" not in finished.out + finished.err, finished.err
    assert "never retrieved" not in finished.err, finished.err
    assert "Warning:" not in finished.err, finished.err
    return finished


def flowctl(
    *arguments: str | Path,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] = {},
    bound_s: float = BOUND_S,
) -> Finished:
    """Run `flowctl` with *arguments* to its end; a build needs more than the usual bound."""
    streams = {} if stdin is None else {"stdin": subprocess.PIPE}
    return finish(start(*arguments, cwd=cwd, env=env, **streams), stdin, bound_s=bound_s)


def on_terminal(command: Sequence[str], env: Mapping[str, str] = {}) -> str:
    """Return what *command* shows on a terminal, until it ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, env={**os.environ, **env}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how Linux says that nobody writes any more
        while piece := os.read(ours, 65_536):
            shown += piece
    process.wait(timeout=BOUND_S)
    os.close(ours)
    return shown.decode()


@contextmanager
def running(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] = {}, **streams: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A `flowctl` that is killed at the end of the block, if it still runs."""
    process = start(*arguments, cwd=cwd, env=env, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()


def wait_until(condition: Callable[[], Any], what: str, *, bound_s: float = BOUND_S) -> Any:
    """Return the first true answer of *condition*; fail when it does not come."""
    deadline = time.monotonic() + bound_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {bound_s:g} s"
        time.sleep(0.005)
    return answer
