"""Compiles the XDR kernel from C to WebAssembly, reproducibly.

    python scripts/xdr_kernel.py [--check]

Needs the `ziglang` package, whose version is part of the result. The module carries a custom
section `cdp.source` with the digest of what it was made from, so that a stale module is
noticed without a compiler. `--check` compares instead of writing.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src/cdp_pipeline/connectors/stellar/xdr"
SOURCE = FOLDER / "kernel.c"
TARGET = FOLDER / "kernel.wasm"
FLAGS = [
    "-target",
    "wasm32-freestanding",
    "-std=c17",
    "-O3",
    "-msimd128",
    "-mbulk-memory",
    "-nostdlib",
    "-fno-sanitize=all",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
    "-Wl,-z,stack-size=16384",
]


def source_digest(source: bytes) -> str:
    """What the module is made from: the source and the flags, in hexadecimal."""
    return hashlib.sha256(source + b"\0" + " ".join(FLAGS).encode()).hexdigest()


def compile_kernel(source: Path) -> bytes:
    """The module of *source*, with its origin appended as a custom section."""
    with tempfile.TemporaryDirectory() as folder:
        # Compiled under a fixed name in its own folder: no path of this machine gets in.
        Path(folder, "kernel.c").write_bytes(source.read_bytes())
        command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", "kernel.wasm", "kernel.c"]
        subprocess.run(command, cwd=folder, check=True)
        module = Path(folder, "kernel.wasm").read_bytes()
    origin = f"{source_digest(source.read_bytes())} ziglang {version('ziglang')}"
    return module + custom_section("cdp.source", origin.encode())


def custom_section(name: str, content: bytes) -> bytes:
    """A WebAssembly custom section (id 0)."""
    payload = _length(len(name)) + name.encode() + content
    return b"\0" + _length(len(payload)) + payload


def _length(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def main() -> int:
    """Write or check the module; exit status 1 when a check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    module = compile_kernel(SOURCE)
    if arguments.check:
        return int(not TARGET.exists() or TARGET.read_bytes() != module)
    TARGET.write_bytes(module)
    print(f"{TARGET.name}: {len(module)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
