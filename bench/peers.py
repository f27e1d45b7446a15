"""Environments with other projects' packages, made in the cache, that can be thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.case import Skip
from bench.process_plugins import last_line
from cdp_pipeline.config.paths import cache_folder

INSTALL_TIMEOUT_S = 180


def environment(name: str, packages: tuple[str, ...]) -> Path:
    """Return the interpreter of an environment with *packages*, made where it is absent.

    Raises:
        Skip: They cannot be installed.
    """
    python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder(os.environ) / "bench" / f"{name}-python{python_version}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", *packages],
    ):
        _run(command, name)
    complete.touch()
    return python


def _run(command: list[str], name: str) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise Skip(f"{name} was not installed within {INSTALL_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"{name} cannot be installed: {last_line(error.stderr)}") from error
