"""What a guest may reach: nothing, but for what manifest and pipeline both name.

A path that the pipeline grants counts where the manifest asks for it or for a folder above
it; the guest finds it under the same path. Writing is granted where both say `write`.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import wasmtime

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.config.limits import FileGrant, Permissions
from cdp_pipeline.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What one plugin's guests may reach.

    Attributes:
        env: Environment variables.
        folders: Folders, and whether they may be written.
        stdout: Whether its standard output is the host's; else it becomes log lines.
        clock: Whether it sees the time.
    """

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    folders: Mapping[str, bool] = field(default_factory=dict)
    stdout: bool = False
    clock: bool = False

    def apply(self, wasi: wasmtime.WasiConfig) -> None:
        """Let a guest reach it.

        Raises:
            ConfigError: plugin.grant_invalid; a folder is not there.
        """
        wasi.env = sorted(self.env.items())
        for folder, writable in self.folders.items():
            if not Path(folder).is_dir():
                raise ConfigError(
                    f"expected a folder at `{folder}`, which is granted under `permissions.files`",
                    code="plugin.grant_invalid",
                    hint="make the folder; WebAssembly plugins are granted folders, not files",
                )
            wasi.preopen_dir(folder, folder, writable)
        if self.stdout:
            wasi.inherit_stdout()


def granted(
    manifest: Manifest | None, given: Permissions, environ: Mapping[str, str]
) -> tuple[Grants, Sequence[str]]:
    """Return what both sides name, and in words what the plugin asks for and does not get.

    A plugin without a manifest asks for nothing.
    """
    asked = manifest.permissions if manifest else Permissions()
    names = [name for name in asked.env if name in given.env]
    base = manifest.folder.absolute() if manifest else Path("/")
    folders, withheld = _folders(asked.files, given.files, base)
    withheld += [f"the variable {name}" for name in asked.env if name not in given.env]
    for name in ("stdout", "clock"):
        if getattr(asked, name) and not getattr(given, name):
            withheld.append(f"`{name}`")
    grants = Grants(
        env={name: environ[name] for name in names if name in environ},
        folders=folders,
        stdout=asked.stdout and given.stdout,
        clock=asked.clock and given.clock,
    )
    return grants, withheld


def _folders(
    asked: Sequence[FileGrant], given: Sequence[FileGrant], base: Path
) -> tuple[dict[str, bool], list[str]]:
    wanted = [(_normal(base / each.path), each.mode == "write") for each in asked]
    folders: dict[str, bool] = {}
    met: set[str] = set()
    for grant in given:
        path = _normal(Path(grant.path))
        for folder, write in wanted:
            if folder in (path, "/") or path.startswith(folder + os.sep):
                met.add(folder)
                may_write = write and grant.mode == "write"
                folders[path] = folders.get(path, False) or may_write
    return folders, [f"the folder {folder}" for folder, _ in wanted if folder not in met]


def _normal(path: Path) -> str:
    """Return *path* with symbolic links followed: what is granted is what is there."""
    return os.path.realpath(path)
