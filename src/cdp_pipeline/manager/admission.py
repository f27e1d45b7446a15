"""Whether a plugin may start: the machine must have what it asks for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cdp_pipeline.errors import CdpError, ExitCode
from cdpplugin import PluginMetadata, ResourceRequirements

CORE_SHARES = 1024
"""Shares of processor time that are one core (as Docker and Kubernetes count them)."""


class AdmissionRefused(CdpError):
    """The machine has not what a plugin asks for."""

    code = "plugin.admission_refused"
    exit_code = ExitCode.PLUGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is.

    Attributes:
        memory_mb: Memory in MiB.
        cpu_shares: Processor time, 1024 a core.
        has_gpu: Whether there is a graphics processor for computing.
    """

    memory_mb: int
    cpu_shares: int
    has_gpu: bool

    @classmethod
    def this(cls) -> Machine:
        """Return what this machine has and this process may use."""
        return cls(
            memory_mb=_memory_bytes() >> 20,
            cpu_shares=CORE_SHARES * len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else CORE_SHARES * (os.cpu_count() or 1),
            has_gpu=any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists(),
        )


def admit(
    metadata: PluginMetadata,
    running: Iterable[ResourceRequirements],
    machine: Machine,
    most: int,
) -> None:
    """Refuse a plugin for which there is no room beside those that run.

    Args:
        metadata: What it says of itself.
        running: What those ask for that run already.
        machine: What there is.
        most: How many plugins may run.

    Raises:
        AdmissionRefused: plugin.admission_refused.
    """
    others, wanted = list(running), metadata.resources
    if len(others) >= most:
        raise _refused(metadata, f"at most {most} plugins", "raise `max_plugins`")
    memory_mb = sum(each.min_memory_mb for each in others) + wanted.min_memory_mb
    if wanted.min_memory_mb and memory_mb > machine.memory_mb:
        raise _refused(
            metadata,
            f"{machine.memory_mb} MiB of memory, of which {memory_mb} MiB would be spoken for",
            "run fewer plugins here, or a machine with more memory",
        )
    shares = sum(each.cpu_shares for each in others) + wanted.cpu_shares
    if wanted.cpu_shares and shares > machine.cpu_shares:
        raise _refused(
            metadata,
            f"{machine.cpu_shares} cpu shares (1024 a core), of which {shares} would be spoken for",
            "run fewer plugins here, or a machine with more cores",
        )
    if wanted.gpu_required and not machine.has_gpu:
        raise _refused(metadata, "no graphics processor", "run it where there is one")


def _refused(metadata: PluginMetadata, what: str, hint: str) -> AdmissionRefused:
    return AdmissionRefused(
        f"there is no room for plugin `{metadata.reference}`: this host has {what}",
        where=metadata.reference,
        hint=hint,
    )


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 1 << 50
