"""What the numbers were taken on: the machine and the versions of what ran."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PACKAGES = (
    "cdp-pipeline",
    "cdpplugin",
    "grpcio",
    "msgspec",
    "protobuf",
    "pyarrow",
    "pydantic",
    "stellar-sdk",
    "typer",
    "wasmtime",
    "zstandard",
)


def machine_facts() -> dict[str, object]:
    """Return processor, cores, memory, system and load."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, of this project's code and of the libraries it uses."""
    found = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "revision": _revision(), **found}


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, "")


def _revision() -> str:
    """Return the commit, with `+` where the checkout differs from it; empty without git."""
    try:
        commit, status = (_git("rev-parse", "--short=12", "HEAD"), _git("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+" if status else "")


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    return answer.stdout.strip()
