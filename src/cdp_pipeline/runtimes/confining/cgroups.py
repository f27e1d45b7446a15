"""Control groups: what the kernel counts and bounds for a plugin and all that it starts.

Names of files and what is in them: the kernel's Documentation/admin-guide, cgroup-v2.rst and
cgroup-v1.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "cdp-"
_PERIOD_US = 100_000
_LEAST_QUOTA_US = 1000
"""The kernel's least share of a period, in microseconds."""
_GONE_S = 5.0
"""Longest wait for killed processes to leave a group."""
_FULL = 0.9
"""The part of its bound that a group in version 1 has used when it has reached it."""
WANTED = ("memory", "cpu", "pids")
"""The controllers that limits are held by."""


@dataclass(frozen=True, slots=True)
class Controllers:
    """Where this host may make groups.

    Attributes:
        version: Of the interface; 0 where there is none.
        places: Each controller with the folder in which groups of it are made.
    """

    version: int = 0
    places: Mapping[str, Path] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.places

    @property
    def mechanism(self) -> str:
        """What a bound by them is called."""
        return f"cgroup v{self.version}"

    def group(self, name: str, wanted: Iterable[str]) -> Group:
        """Return the group *name* with the controllers of *wanted* that there are, not yet made."""
        held = {each: self.places[each] / f"{PREFIX}{name}" for each in wanted if each in self}
        if "cpu" in held and "cpuacct" in self.places:  # version 1 counts elsewhere
            held["cpuacct"] = self.places["cpuacct"] / f"{PREFIX}{name}"
        return Group(self.version, held)


@dataclass(frozen=True, slots=True)
class Group:
    """One group, in version 1 one folder for each controller."""

    version: int
    folders: Mapping[str, Path]

    @property
    def paths(self) -> list[str]:
        """Its folders."""
        return sorted({str(folder) for folder in self.folders.values()})

    def make(self, *, memory: int | None, cpu: float | None, pids: int | None) -> None:
        """Make it, with bounds in bytes, in cores, and in processes and threads.

        Raises:
            OSError: It cannot be made; nothing of it is left.
        """
        try:
            for path in self.paths:
                Path(path).mkdir()
            if memory is not None and "memory" in self.folders:
                self._bound_memory(self.folders["memory"], memory)
            if cpu is not None and "cpu" in self.folders:
                self._bound_cpu(self.folders["cpu"], cpu)
            if pids is not None and "pids" in self.folders:
                write(self.folders["pids"] / "pids.max", pids)
        except BaseException:
            remove(self.paths)
            raise

    def _bound_memory(self, folder: Path, limit_bytes: int) -> None:
        """Bound memory and, where the kernel counts it, what is swapped out."""
        if self.version == 2:
            write(folder / "memory.max", limit_bytes)
            optional = {"memory.swap.max": 0, "memory.oom.group": 1}
        else:
            write(folder / "memory.limit_in_bytes", limit_bytes)
            optional = {"memory.memsw.limit_in_bytes": limit_bytes, "memory.swappiness": 0}
        for name, value in optional.items():
            with suppress(OSError):
                write(folder / name, value)

    def _bound_cpu(self, folder: Path, cores: float) -> None:
        quota_us = max(_LEAST_QUOTA_US, round(cores * _PERIOD_US))
        if self.version == 2:
            write(folder / "cpu.max", f"{quota_us} {_PERIOD_US}")
        else:
            write(folder / "cpu.cfs_period_us", _PERIOD_US)
            write(folder / "cpu.cfs_quota_us", quota_us)

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of it, and it had reached its bound.

        The kernel counts what it kills for the machine's memory as well.
        """
        if "memory" not in self.folders:
            return False
        folder = self.folders["memory"]
        if self.version == 2:
            events = _facts(folder / "memory.events")
            return events.get("oom_kill", 0) > 0 and events.get("max", 0) > 0
        killed = _facts(folder / "memory.oom_control").get("oom_kill", 0)
        most, bound = (_count(folder / f"memory.{n}_in_bytes") for n in ("max_usage", "limit"))
        return killed > 0 and most >= _FULL * bound

    @property
    def cpu_s(self) -> float | None:
        """Processor time that it has used, in seconds; None where it is not counted."""
        if self.version == 2 and "cpu" in self.folders:
            usage_us = _facts(self.folders["cpu"] / "cpu.stat").get("usage_usec")
            return None if usage_us is None else usage_us / 1e6
        if "cpuacct" in self.folders:
            text = (self.folders["cpuacct"] / "cpuacct.usage").read_text(encoding="ascii")
            return int(text) / 1e9
        return None

    @property
    def seals(self) -> list[str]:
        """The files to write 0 into so that nothing more is started in it."""
        return [str(self.folders["pids"] / "pids.max")] if "pids" in self.folders else []


def remove(paths: Iterable[str]) -> int:
    """Kill what is in the groups at *paths* and remove them; return how many processes it were."""
    killed: set[int] = set()
    for path in map(Path, paths):
        # Whatever a record says, no other folder is ever touched.
        if path.name.startswith(PREFIX) and (path / "cgroup.procs").exists():
            killed |= _emptied(path)
    return len(killed)


def _emptied(folder: Path) -> set[int]:
    killed: set[int] = set()
    until = time.monotonic() + _GONE_S
    with suppress(OSError):
        write(folder / "pids.max", 0)
    while time.monotonic() < until:
        killed.update(_kill_members(folder))
        try:
            folder.rmdir()
        except FileNotFoundError:
            break
        except OSError:  # somebody in it has not gone yet
            time.sleep(0.005)
        else:
            break
    return killed


def _kill_members(folder: Path) -> Iterator[int]:
    with suppress(OSError):
        for line in (folder / "cgroup.procs").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(line), signal.SIGKILL)
                yield int(line)


def _facts(file: Path) -> Mapping[str, int]:
    """Return the numbers of a file with a name and a number in each line."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines]
    return {each[0]: int(each[1]) for each in words if len(each) == 2 and each[1].isdecimal()}


def _count(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def write(file: Path, value: object) -> None:
    """Write *value* into a file of a group."""
    file.write_text(str(value), encoding="ascii")
