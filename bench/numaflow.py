"""Measure a map server of pynumaflow, in an environment of its own that can be thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.case import Skip
from bench.process_plugins import PLUGINS, last_line, process
from bench.rig import Invalid, payments
from cdp_pipeline.config.paths import cache_folder

VERSION = "0.14.0"
_PACKAGES = (f"pynumaflow=={VERSION}", "msgspec")
"""With the JSON library that our SDK uses, so that both sides do the same work."""
INSTALL_TIMEOUT_S = 180
RUN_TIMEOUT_S = 60
_SCRIPTS = PLUGINS / "numaflow_map"


def environment() -> Path:
    """Return the interpreter of an environment with pynumaflow, made in the cache where absent.

    Raises:
        Skip: It cannot be installed.
    """
    python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder(os.environ) / "bench" / f"pynumaflow-{VERSION}-python{python_version}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.is_file():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", *_PACKAGES],
    ):
        _run_install(command)
    complete.touch()
    return python


def _run_install(command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise Skip(f"pynumaflow was not installed within {INSTALL_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"pynumaflow cannot be installed: {last_line(error.stderr)}") from error


def rate(python: Path, messages: int) -> float:
    """Return messages a second through a fresh map server, counted by its client.

    Args:
        python: Interpreter of an environment with pynumaflow.
        messages: How many are sent.

    Raises:
        Invalid: Not every message came back, changed.
    """
    with TemporaryDirectory(prefix="cdp-bench-") as scratch:
        folder = Path(scratch)
        socket, lines = str(folder / "map.sock"), folder / "payloads.jsonl"
        lines.write_bytes(b"\n".join(payments().payloads.json()))
        server = (str(python), str(_SCRIPTS / "server.py"), socket, str(folder / "info"))
        with process(*server):
            done = subprocess.run(
                [str(python), str(_SCRIPTS / "client.py"), socket, str(lines), str(messages)],
                check=False,
                capture_output=True,
                text=True,
                timeout=RUN_TIMEOUT_S,
            )
    if done.returncode:
        raise Invalid(f"the client of pynumaflow failed: {last_line(done.stderr)}")
    return messages / float(done.stdout)
