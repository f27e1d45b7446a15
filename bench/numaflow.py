"""Measure a map server of pynumaflow, in an environment of its own that can be thrown away."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import peers
from bench.process_plugins import PLUGINS, last_line, process
from bench.rig import Invalid, payments

VERSION = "0.14.0"
_PACKAGES = (f"pynumaflow=={VERSION}", "msgspec")
"""With the JSON library that our SDK uses, so that both sides do the same work."""
RUN_TIMEOUT_S = 60
_SCRIPTS = PLUGINS / "numaflow_map"


def environment() -> Path:
    """Return the interpreter of an environment with pynumaflow.

    Raises:
        Skip: It cannot be installed.
    """
    return peers.environment(f"pynumaflow-{VERSION}", _PACKAGES)


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
