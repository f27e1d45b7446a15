"""How a guest is let reach what it is granted."""

from __future__ import annotations

from pathlib import Path

import wasmtime

from cdp_pipeline.errors import ConfigError
from cdp_pipeline.runtimes.grants import Grants


def apply(grants: Grants, wasi: wasmtime.WasiConfig) -> None:
    """Let a guest reach what it is granted. The network is no such thing.

    Raises:
        ConfigError: plugin.grant_invalid; a folder is not there.
    """
    wasi.env = sorted(grants.env.items())
    for folder, writable in grants.paths.items():
        if not Path(folder).is_dir():
            raise ConfigError(
                f"expected a folder at `{folder}`, which is granted under `permissions.files`",
                code="plugin.grant_invalid",
                hint="make the folder; WebAssembly plugins are granted folders, not files",
            )
        wasi.preopen_dir(folder, folder, writable)
    if grants.stdout:
        wasi.inherit_stdout()
