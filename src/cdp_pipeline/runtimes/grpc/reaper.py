"""End what a dead host has left behind, and nothing else.

A host is dead when no process has both its number and its start time. What belongs to a
host that lives, or to one this process cannot judge, is not touched. Invariant 20: of a dead
host no process, socket or control group survives the next start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.confining import cgroups
from cdp_pipeline.runtimes.grpc.launches import Launches, LaunchRecord
from cdp_pipeline.runtimes.processes.liveness import (
    ProcessIdentity,
    identify,
    is_running,
    may_judge,
)


def reap(launches: Launches) -> list[str]:
    """End the plugins that dead hosts had launched; return them, `name@version` each."""
    reaped = []
    for record in launches.records():
        if record.host is None or not is_dead(record.host):
            continue
        ended = _end(record)
        record.launch.close()
        if ended:
            reaped.append(record.launch.plugin)
            logger(plugin=record.launch.plugin).warning(
                "ended a plugin that a dead host had left", processes=ended
            )
    return reaped


def is_dead(host: ProcessIdentity) -> bool:
    """Tell whether *host* is known to have ended."""
    return may_judge(host) and not is_running(host)


def _end(record: LaunchRecord) -> int:
    """Kill the processes of a launch; return how many there were.

    The keeper goes first: it would otherwise only see the plugin's death.
    """
    keeper = record.keeper
    ended = _kill(keeper.pid) if keeper is not None and is_running(keeper) else 0
    ended += end_marked(record.launch.socket)
    return ended + cgroups.remove(record.groups)


def end_marked(socket: Path) -> int:
    """Kill the processes that inherited the socket of a launch; return how many there were."""
    marked = [identity for identity in _marked(str(socket)) if is_running(identity)]
    return sum(_kill(identity.pid) for identity in marked)


def _kill(pid: int) -> int:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
        return 1
    return 0


def _marked(socket: str) -> Iterator[ProcessIdentity]:
    """Yield the processes that inherited the socket of a launch; none where /proc is absent."""
    mark = f"PLUGIN_SOCKET={socket}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        identity = identify(int(entry.parent.name))
        with suppress(OSError):
            if identity and mark in entry.read_bytes().split(b"\0"):
                yield identity
