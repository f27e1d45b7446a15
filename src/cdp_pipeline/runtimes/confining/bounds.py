"""What bounds a local process: by which mechanism, and for one launch of it, by which terms."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdp_pipeline.config.limits import Limits, Sandbox
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.confining import landlock
from cdp_pipeline.runtimes.confining.cgroups import WANTED, Controllers, Group, remove
from cdp_pipeline.runtimes.confining.mechanisms import (
    DEADLINE,
    FILES,
    NO_SANDBOX,
    NOT_CONFINED,
    Mechanisms,
    mechanisms,
)
from cdp_pipeline.runtimes.confining.places import available
from cdp_pipeline.runtimes.confining.reach import Rule

_PRIVILEGES = "no-new-privileges, no capabilities"


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has to bound a process with.

    Attributes:
        controllers: Where groups can be made; None is found out when it is first needed.
        landlock: The version of the kernel's interface to Landlock, 0 where there is none.
    """

    controllers: Controllers | None = None
    landlock: int = field(default_factory=landlock.abi)

    def groups_for(self, limits: Limits) -> Controllers:
        """Return where groups can be made; nothing is tried where no limit needs one."""
        if self.controllers is not None:
            return self.controllers
        wanted = any(getattr(limits, name) is not None for name in WANTED)
        return available() if wanted else Controllers()


class Bounds:
    """What bounds one plugin, over all its launches.

    Invariant 19: what its mechanisms name is in force; what nothing holds is `not enforced`.

    Attributes:
        mechanisms: By what each limit is held.
    """

    def __init__(
        self, limits: Limits, sandbox: Sandbox, machine: Machine, *, may_connect: bool
    ) -> None:
        self._limits = limits
        self._controllers = machine.groups_for(limits)
        self._abi = 0 if sandbox == "off" else machine.landlock
        self._is_off = sandbox == "off"
        self._may_connect = may_connect
        self.mechanisms = mechanisms(limits, self._held(), self._reach())

    def require_sandbox(self, name: str) -> None:
        """Refuse to go on where files and TCP cannot both be confined.

        Raises:
            ArtifactError: plugin.not_confined.
        """
        if self._abi < landlock.TCP_ABI:
            raise ArtifactError(
                f"`{name}` must be confined, and this kernel cannot: expected Landlock ABI "
                f"{landlock.TCP_ABI} or newer (Linux 6.7), got {self._abi or 'none'}",
                code="plugin.not_confined",
                hint="use a newer kernel, or set `sandbox: auto` to run it all the same",
            )

    def _held(self) -> Mechanisms:
        by_group = self._controllers.mechanism
        held = {name: by_group for name in WANTED if name in self._controllers}
        fallbacks = {"timeout": DEADLINE, "files": "RLIMIT_NOFILE"}
        if os.path.isdir("/proc/self"):
            fallbacks["memory"] = "watchdog"
        if self._counts_user:
            fallbacks["pids"] = "RLIMIT_NPROC, with all other processes of the user"
        return fallbacks | held

    @property
    def _counts_user(self) -> bool:
        """Whether processes are bounded by user, which the kernel does for all but root."""
        return "pids" not in self._controllers and os.geteuid() != 0

    def _reach(self) -> Mechanisms:
        if self._is_off:
            return NO_SANDBOX
        by, version = f"Landlock ABI {self._abi}", self._abi
        tcp = f"{by}, may connect" if self._may_connect else by
        return {
            FILES: by if version else NOT_CONFINED,
            "TCP": tcp if version >= landlock.TCP_ABI else NOT_CONFINED,
            "UDP": NOT_CONFINED,
            "Unix sockets": NOT_CONFINED,
            "signals": by if version >= landlock.SCOPE_ABI else NOT_CONFINED,
            "privileges": _PRIVILEGES if sys.platform == "linux" else NOT_CONFINED,
        }

    def confinement(self, name: str, rules: Sequence[Rule], port: int) -> Confinement:
        """Return what confines the launch *name*, whose plugin reaches *rules* and *port*."""
        limits = self._limits
        wanted = [each for each in WANTED if getattr(limits, each) is not None]
        rlimits = {}
        if limits.files is not None:
            rlimits["files"] = limits.files
        if limits.pids is not None and self._counts_user:
            rlimits["pids"] = limits.pids + tasks_of(os.getuid())
        sandbox = {
            "abi": self._abi,
            "rules": list(rules),
            "port": port,
            "may_connect": self._may_connect,
        }
        is_watched = limits.memory is not None and "memory" not in self._controllers
        return Confinement(
            limits=limits,
            group=self._controllers.group(name, wanted),
            rlimits=rlimits,
            watched_bytes=limits.memory or 0 if is_watched else 0,
            sandbox=None if self._is_off else sandbox,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What confines one launch.

    Attributes:
        limits: The limits that were set.
        group: Its control group.
        rlimits: Resource limits of each of its processes.
        watched_bytes: The limit on memory where no group holds it, else 0.
        sandbox: What it reaches, as `inside` takes it; None is everything.
    """

    limits: Limits
    group: Group
    rlimits: dict[str, int]
    watched_bytes: int
    sandbox: dict[str, Any] | None

    def make(self) -> None:
        """Make its group.

        Raises:
            ArtifactError: plugin.not_confined; the system refuses.
        """
        limits = self.limits
        try:
            self.group.make(memory=limits.memory, cpu=limits.cpu, pids=limits.pids)
        except OSError as error:
            raise ArtifactError(
                f"the limits cannot be set: {error.strerror}",
                code="plugin.not_confined",
                where=error.filename,
                hint="let this user write to its control group, or remove the limits",
            ) from error

    def terms(self) -> str:
        """Return what the keeper is told, as JSON."""
        return json.dumps(
            {
                "groups": self.group.paths,
                "seals": self.group.seals,
                "rlimits": self.rlimits,
                "watched_bytes": self.watched_bytes,
                "sandbox": self.sandbox,
            }
        )

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process of it for its memory."""
        return self.group.ran_out_of_memory

    def close(self) -> None:
        """Kill what is left in its group, and remove it."""
        remove(self.group.paths)


def tasks_of(user: int) -> int:
    """Return how many processes and threads *user* has, which is what RLIMIT_NPROC counts."""
    count = 0
    for entry in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):
            if entry.stat().st_uid == user:
                count += len(os.listdir(entry))
    return count
