"""Tell a process from another that later got the same number: by its start time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

_STATE, _START_TIME = 0, 19
"""Fields of `/proc/PID/stat` after the command's name (proc(5): the 3rd and the 22nd)."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, for as long as the machine runs.

    Attributes:
        pid: Its number.
        started: When it started, in the system's own form.
        system: The boot and the process namespace in which *pid* has its meaning.
    """

    pid: int
    started: str
    system: str

    @classmethod
    def read(cls, record: Any) -> Self | None:
        """Return the identity that `asdict` wrote, None where *record* is something else."""
        try:
            return cls(int(record["pid"]), str(record["started"]), str(record["system"]))
        except (KeyError, TypeError, ValueError):
            return None

    def as_record(self) -> dict[str, Any]:
        """Return it in a form that JSON can hold."""
        return asdict(self)


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the running process *pid*, None where there is none."""
    started = _started_linux(pid) if sys.platform == "linux" else _started_elsewhere(pid)
    return ProcessIdentity(pid, started, _system()) if started else None


def own_identity() -> ProcessIdentity:
    """Return the identity of this process."""
    own = identify(os.getpid())
    assert own is not None
    return own


def may_judge(identity: ProcessIdentity) -> bool:
    """Tell whether this process can know if *identity* still runs.

    Not where it belongs to another process namespace of the same boot (a container).
    """
    boot, _, namespace = identity.system.partition(" ")
    own_boot, _, own_namespace = _system().partition(" ")
    return boot != own_boot or namespace == own_namespace


def is_running(identity: ProcessIdentity) -> bool:
    """Tell whether the very process still runs."""
    return identify(identity.pid) == identity


def _started_linux(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = text.rpartition(b")")[2].split()
    return "" if fields[_STATE] in (b"Z", b"X") else fields[_START_TIME].decode()


def _started_elsewhere(pid: int) -> str:
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


@cache
def _system() -> str:
    if sys.platform != "linux":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"
