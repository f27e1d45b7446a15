"""What a process does to itself before it becomes a plugin: join its groups, give up rights.

Standard library only, and little of it: the keeper reads this file by its path, and calls
`enter` in the process that is about to execute the plugin. Invariant 18: all of it is in force
before anything of the plugin is executed, or nothing is executed.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all the rest
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
"""Source: linux/prctl.h."""
_CAP_DAC_OVERRIDE = 1
"""Source: linux/capability.h. Root keeps it: its files may be another user's."""
_RLIMITS = {"files": resource.RLIMIT_NOFILE, "pids": resource.RLIMIT_NPROC}


def enter(terms: dict[str, Any], landlock: ModuleType | None) -> None:
    """Confine this process for good.

    Args:
        terms: What `Confinement.terms` gives.
        landlock: The module of this name, where it is wanted.

    Raises:
        OSError: Something of it cannot be had; the process must not go on.
    """
    for group in terms["groups"]:
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as members:
            members.write("0")
    for name, value in terms["rlimits"].items():
        most = resource.getrlimit(_RLIMITS[name])[1]
        held = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(_RLIMITS[name], (held, held))
    sandbox = terms["sandbox"]
    if sandbox is None:
        return
    if sys.platform == "linux":
        _give_up_privileges()
    if landlock is not None:
        landlock.restrict(
            sandbox["abi"],
            [*sandbox["rules"], (f"/proc/{os.getpid()}", "read")],
            port=sandbox["port"],
            may_connect=sandbox["may_connect"],
        )


def _give_up_privileges() -> None:
    """Let nothing that is executed from now on have more rights than its user's, root's neither.

    What root executes has the capabilities that are in the bounding set, and no others.
    """
    control = ctypes.CDLL(None).prctl
    if os.geteuid() == 0:
        for capability in range(64):
            if capability != _CAP_DAC_OVERRIDE:
                control(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if control(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError("no-new-privileges is refused")
