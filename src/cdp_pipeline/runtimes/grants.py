"""What a plugin may reach: nothing, but for what manifest and pipeline both name.

A path that the pipeline grants counts where the manifest asks for it or for a folder above
it; the plugin finds it under the same path. Writing is granted where both say `write`.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import FileGrant, Permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What one plugin may reach.

    Attributes:
        env: Environment variables.
        paths: Folders and files, and whether they may be written.
        network: Whether it may open connections.
        stdout: Whether its standard output is the host's; else it becomes log lines.
        clock: Whether it sees the time.
    """

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    paths: Mapping[str, bool] = field(default_factory=dict)
    network: bool = False
    stdout: bool = False
    clock: bool = False


def granted(
    manifest: Manifest | None, given: Permissions, environ: Mapping[str, str]
) -> tuple[Grants, Sequence[str]]:
    """Return what both sides name, and in words what the plugin asks for and does not get.

    A plugin without a manifest asks for nothing.
    """
    asked = manifest.permissions if manifest else Permissions()
    names = [name for name in asked.env if name in given.env]
    base = manifest.folder.absolute() if manifest else Path("/")
    paths, withheld = _paths(asked.files, given.files, base)
    withheld += [f"the variable {name}" for name in asked.env if name not in given.env]
    for name in ("network", "stdout", "clock"):
        if getattr(asked, name) and not getattr(given, name):
            withheld.append(f"`{name}`")
    grants = Grants(
        env={name: environ[name] for name in names if name in environ},
        paths=paths,
        network=asked.network and given.network,
        stdout=asked.stdout and given.stdout,
        clock=asked.clock and given.clock,
    )
    return grants, withheld


def _paths(
    asked: Sequence[FileGrant], given: Sequence[FileGrant], base: Path
) -> tuple[dict[str, bool], list[str]]:
    wanted = [(_normal(base / each.path), each.mode == "write") for each in asked]
    paths: dict[str, bool] = {}
    met: set[str] = set()
    for grant in given:
        path = _normal(Path(grant.path))
        for place, write in wanted:
            if place in (path, "/") or path.startswith(place + os.sep):
                met.add(place)
                may_write = write and grant.mode == "write"
                paths[path] = paths.get(path, False) or may_write
    return paths, [f"the path {place}" for place, _ in wanted if place not in met]


def _normal(path: Path) -> str:
    """Return *path* with symbolic links followed: what is granted is what is there."""
    return os.path.realpath(path)
