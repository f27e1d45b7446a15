"""Find a Rust compiler that builds for WebAssembly."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TARGET = "wasm32-unknown-unknown"


def compiler() -> tuple[str, str]:
    """Return cargo and rustc; skip where none has the target."""
    for place in (shutil.which("cargo"), "/usr/bin/cargo"):
        if place and Path(place).is_file() and has_target(Path(place).with_name("rustc")):
            return place, str(Path(place).with_name("rustc"))
    pytest.skip(f"no `cargo` here has the target {TARGET}")


def has_target(rustc: Path, target: str = TARGET) -> bool:
    """Whether a compiler can build for *target*."""
    done = subprocess.run(
        [str(rustc), "--print", "sysroot"], capture_output=True, text=True, check=False
    )
    return (Path(done.stdout.strip()) / "lib" / "rustlib" / target).is_dir()
