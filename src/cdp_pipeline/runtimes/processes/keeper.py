"""Keep one plugin process: what it starts ends with it, and it ends with its host.

The host runs this file as a program of its own, between itself and the plugin:

    python -I -S keeper.py HOST_PID STATUS_FD GRACE_S INPUT TERMS EXECUTABLE [ARGUMENT...]

INPUT is what the plugin has as its standard input: `lifeline` (the keeper's own) or `nothing`.
TERMS is what confines it, as JSON (`Confinement.terms`), or empty.
It needs the standard library only. The plugin runs in a session of its own. On Linux every
process the plugin starts, even one that detaches itself, becomes a child of the keeper
once its parent is gone (`PR_SET_CHILD_SUBREAPER`); none of them outlives the keeper's work.

Told to end: SIGTERM (or the host is gone: end of file on standard input, or its thread
died) sends SIGTERM to the plugin's group, and SIGKILL after the grace. SIGQUIT kills at once.
On STATUS_FD it says, a line each: `pid N`, then `exited STATUS` or `signalled NUMBER`, before
that `exceeded BYTES` where it ended the plugin for its memory; or only `failed ERRNO` where
the executable cannot be run, `unconfined ERRNO` where it cannot be confined.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

TYPE_CHECKING = False  # `typing` takes longer to import than all the rest
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_S = 5.0
"""Longest wait for killed processes to go away; one that hangs in the kernel may not."""
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LIFELINE = 0


def _control(option: int, value: int) -> None:
    """Set an attribute of this process; a system without it goes without."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _neighbour(name: str) -> ModuleType:
    """Return a module of `confining`, which no import path leads to."""
    from importlib.machinery import SourceFileLoader
    from types import ModuleType

    here = os.path.dirname(os.path.abspath(__file__))
    file = os.path.join(os.path.dirname(here), "confining", f"{name}.py")
    module = ModuleType(name)
    SourceFileLoader(name, file).exec_module(module)
    return module


class Confining:
    """What confines the plugin, its code loaded before there is a process to confine."""

    def __init__(self, terms: dict[str, Any]) -> None:
        self._terms = terms
        sandbox = terms["sandbox"]
        self._inside = _neighbour("inside")
        self._landlock = _neighbour("landlock") if sandbox and sandbox["abi"] else None
        self._watching = _neighbour("watching") if terms["watched_bytes"] else None

    def enter(self) -> None:
        """Confine this process, which is about to become the plugin."""
        self._inside.enter(self._terms, self._landlock)

    @property
    def interval_s(self) -> float | None:
        """Time between two looks at its memory, in seconds; None looks at nothing."""
        return self._watching.INTERVAL_S if self._watching else None

    def excess(self) -> int:
        """Return the limit on memory where it is exceeded, else 0."""
        limit: int = self._terms["watched_bytes"]
        return limit if self._watching and self._watching.exceeds(os.getpid(), limit) else 0

    def seal(self) -> None:
        """Let nothing more be started in its group."""
        for path in self._terms["seals"]:
            with suppress(OSError), open(path, "w", encoding="ascii") as file:
                file.write("0")


class Keeper:
    """One plugin process and all that it starts."""

    def __init__(
        self,
        status_fd: int,
        grace_s: float,
        confining: Confining | None,
        *,
        has_lifeline: bool = True,
    ) -> None:
        self._status_fd = status_fd
        self._grace_s = grace_s
        self._confining = confining
        self._look_at: float | None = None
        self._has_lifeline = has_lifeline
        self._plugin = 0
        self._ended = ""
        self._kill_at: float | None = None
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (*_STOPPING, signal.SIGQUIT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def run(self, command: Sequence[str]) -> None:
        """Start *command*, and return when nothing of it is left."""
        self._plugin, failed = self._start(command)
        if failed:
            self._say(failed)
            return
        self._plan_look()
        self._say(f"pid {self._plugin}")
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(_LIFELINE, select.POLLHUP)
        while not self._ended:
            for descriptor, _ in poll.poll(self._wait_ms()):
                if descriptor == _LIFELINE:
                    poll.unregister(_LIFELINE)
                    self._stop()
            self._heed(self._signals())
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._signal_group(signal.SIGKILL)
                self._kill_at = None
            if self._look_at is not None and time.monotonic() >= self._look_at:
                self._look()
        self._sweep()
        self._say(self._ended)

    def _plan_look(self) -> None:
        interval_s = self._confining.interval_s if self._confining else None
        self._look_at = None if interval_s is None else time.monotonic() + interval_s

    def _look(self) -> None:
        """End the plugin where it holds more memory than it may."""
        self._plan_look()
        if self._confining and (limit := self._confining.excess()) and not self._ended:
            self._look_at = None
            self._say(f"exceeded {limit}")
            self._signal_group(signal.SIGKILL)

    def _start(self, command: Sequence[str]) -> tuple[int, str]:
        """Return the plugin's number, and what to say where it could not be run."""
        keeper = os.getpid()
        result, failing = os.pipe()  # closed by a successful exec
        child = os.fork()
        if child == 0:
            doing = "failed"
            try:
                os.setsid()
                _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != keeper:
                    os._exit(1)
                signal.set_wakeup_fd(-1)
                if not self._has_lifeline:
                    os.dup2(os.open(os.devnull, os.O_RDONLY), _LIFELINE)
                for number in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(number, signal.SIG_DFL)
                if self._confining:
                    doing = "unconfined"
                    self._confining.enter()
                    doing = "failed"
                os.execvp(command[0], list(command))  # noqa: S606 - no shell is wanted
            except OSError as error:
                os.write(failing, f"{doing} {error.errno or 0}".encode())
            finally:
                os._exit(127)
        os.close(failing)
        with open(result, "rb") as file:
            return child, file.read().decode()

    def _wait_ms(self) -> float | None:
        times = [at for at in (self._kill_at, self._look_at) if at is not None]
        return max(0.0, min(times) - time.monotonic()) * 1000 + 1 if times else None

    def _signals(self) -> bytes:
        try:
            return os.read(self._wake, 4096)
        except BlockingIOError:
            return b""

    def _heed(self, numbers: bytes) -> None:
        if signal.SIGQUIT in numbers:
            self._signal_group(signal.SIGKILL)
        elif any(number in numbers for number in _STOPPING):
            self._stop()
        for pid, status in _reaped():
            if pid == self._plugin:
                self._ended = _words(status)

    def _stop(self) -> None:
        if self._kill_at is None:
            self._signal_group(signal.SIGTERM)
            self._kill_at = time.monotonic() + self._grace_s

    def _signal_group(self, number: int) -> None:
        """Signal the plugin's group; before its `setsid` there is only the plugin itself."""
        for send in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                send(self._plugin, number)
                return

    def _sweep(self) -> None:
        """Kill whatever the plugin left behind."""
        until = time.monotonic() + _SWEEP_S
        if self._confining:
            self._confining.seal()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._plugin, signal.SIGKILL)
        while time.monotonic() < until:
            for pid in _children():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.002)
            except ChildProcessError:
                return

    def _say(self, line: str) -> None:
        with suppress(OSError):  # the host is gone
            os.write(self._status_fd, f"{line}\n".encode())


def _reaped() -> Iterator[tuple[int, int]]:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def _words(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exited {code}" if code >= 0 else f"signalled {-code}"


def _children() -> Iterator[int]:
    """Yield the children of this process, as far as the system lists processes as Linux does."""
    own = os.getpid()
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal() and _parent(name) == own:
                yield int(name)


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _confining(terms: str) -> Confining | None:
    if not terms:
        return None
    import json

    return Confining(json.loads(terms))


def main(arguments: Sequence[str]) -> None:
    """Keep the plugin that *arguments* name."""
    (host, status_fd, grace_s, given, terms), command = arguments[:5], arguments[5:]
    os.set_inheritable(int(status_fd), False)
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    keeper = Keeper(
        int(status_fd), float(grace_s), _confining(terms), has_lifeline=given == "lifeline"
    )
    _control(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(host):
        keeper.run(command)


if __name__ == "__main__":
    main(sys.argv[1:])
