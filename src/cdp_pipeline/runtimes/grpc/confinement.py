"""How a container is confined: what the pipeline grants, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import Limits, Permissions
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.confining.mechanisms import DEADLINE, FILES, Mechanisms

SOCKET_FOLDER = "/run/cdp"
"""Where the socket folder is inside the container."""
PORT = 50051
"""The port inside the container's own network."""
_TMP_BYTES = 64 << 20

HELD: Mechanisms = {"timeout": DEADLINE} | dict.fromkeys(
    ("memory", "cpu", "pids", "files"), "Docker"
)
"""What holds a container's limits."""
REACH: Mechanisms = {
    FILES: "Docker, a read-only root",
    "TCP": "Docker, no network but the host's",
    "UDP": "Docker, no network but the host's",
    "privileges": "no-new-privileges, no capabilities",
}
"""What bounds what a container may reach."""


def confined(limits: Limits) -> dict[str, Any]:
    """Return the arguments that bound a container; the names are docker-py's.

    The root is read-only but for `/tmp`, no capability is left, and none can be gained.
    A plugin of a host that is not root runs under the host's user: only then may the host
    use the socket that it makes.
    """
    own = os.getuid()
    chosen: dict[str, Any] = {
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={_TMP_BYTES}"},  # noqa: S108 - in the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "user": f"{own}:{os.getgid()}" if own else None,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": round(limits.cpu * 1e9) if limits.cpu else None,
        "pids_limit": limits.pids,
        "ulimits": _ulimits(limits.files),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _ulimits(files: int | None) -> list[Any] | None:
    """Return the bound on descriptors as the engine's own interface takes it."""
    return None if files is None else [{"Name": "nofile", "Soft": files, "Hard": files}]


def volumes(manifest: Manifest, granted: Permissions) -> dict[str, dict[str, str]]:
    """Return the folders to mount, as docker-py takes them.

    Raises:
        ArtifactError: plugin.permission_denied; the pipeline does not grant one of them.
    """
    mounted: dict[str, dict[str, str]] = {}
    for volume in manifest.docker.volumes if manifest.docker else ():
        folder, place, mode = _parts(volume)
        path = (manifest.folder / folder).resolve()
        if not _is_granted(path, granted, writes=mode == "rw"):
            raise ArtifactError(
                f"the manifest mounts `{path}` ({mode}), which the pipeline does not grant",
                code="plugin.permission_denied",
                where=str(manifest.folder),
                hint=f"list it under `permissions.files`, mode `{_MODES[mode]}`, or remove it",
            )
        mounted[str(path)] = {"bind": place, "mode": mode}
    return mounted


_MODES = {"ro": "read", "rw": "write"}


def _parts(volume: str) -> tuple[str, str, str]:
    folder, _, rest = volume.partition(":")
    place, _, mode = rest.partition(":")
    return folder, place or folder, "ro" if mode == "ro" else "rw"


def _is_granted(path: Path, granted: Permissions, *, writes: bool) -> bool:
    return any(
        path.is_relative_to(Path(grant.path).resolve()) and (grant.mode == "write" or not writes)
        for grant in granted.files
    )
