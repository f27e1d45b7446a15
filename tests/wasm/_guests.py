"""Hostile guests: modules that do what no plugin should, each in a known way.

    path = guest("loop_in_metadata", folder)     # a file, compiled unless it is there
    path = guest("deeds", folder)                # does what a payload asks for: {"do": "files"}

`guests/*.wat` are one guest each; `guests/*.c` are several: `deeds` and `batches` choose by what
they are given, `moments` by how it is compiled. What each does is said in one line beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import wasmtime

SOURCES = Path(__file__).parent / "guests"

_FLAGS = (
    "-target",
    "wasm32-freestanding",
    "-std=c11",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-mbulk-memory",
    "-fno-sanitize=all",
    "-nostdlib",
    "-Wl,--no-entry",
)

MOMENTS = (
    "initialize",
    "alloc",
    "metadata",
    "configure",
    "start",
    "health",
    "stop",
    "export_state",
    "import_state",
    "failure",
)
"""The calls in which a guest can be made to go wrong."""

_SAYS: Mapping[str, str] = {
    "metadata_no_json": '{"name": ',
    "metadata_no_object": "[1, 2]",
    "metadata_nameless": '{"version":"1.0.0"}',
    "metadata_of_the_future": '{"name":"hostile","version":"1.0.0","abi":99}',
    "metadata_of_a_source": '{"name":"hostile","version":"1.0.0","type":"source"}',
    "metadata_wrong_shape": '{"name":[],"version":{},"input_types":"all"}',
    "health_unknown": '{"status":"splendid","details":[5]}',
    "health_no_json": "fine",
}
"""Guests that answer nonsense, `FUNCTION_WHAT`, and the nonsense."""

_GOES_WRONG: Mapping[str, str] = {"loop": "LOOP", "trap": "TRAP", "outside": "ADDRESS=0xFFFFFFF0"}

C_GUESTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "deeds": ("deeds.c", ()),
    "batches": ("batches.c", ()),
    **{
        f"{how}_in_{moment}": ("moments.c", (f"IN_{moment.upper()}", define))
        for how, define in _GOES_WRONG.items()
        for moment in MOMENTS
        if (how, moment) != ("outside", "initialize")
    },
    **{
        f"refused_in_{moment}": ("moments.c", (f"IN_{moment.upper()}", "STATUS=3"))
        for moment in MOMENTS[2:]
    },
    **{
        name: ("moments.c", (f"IN_{name.partition('_')[0].upper()}", f"ANSWER={json.dumps(text)}"))
        for name, text in _SAYS.items()
    },
}
"""The guests in C: their source, and what is defined when it is compiled."""

WAT_GUESTS = tuple(sorted(path.stem for path in SOURCES.glob("*.wat")))
"""The guests in WebAssembly text."""

NOT_WASM: Mapping[str, bytes] = {
    "empty": b"",
    "text": b"#!/bin/sh\necho I am no module\n",
    "magic_only": b"\0asm",
    "version_unknown": b"\0asm\x02\0\0\0",
    "truncated": wasmtime.wat2wasm((SOURCES / "sound.wat").read_text())[:-20],
    "junk_section": b"\0asm\x01\0\0\0\x7f\xff\xff\xff\xff\x0f",
}
"""Files that are no WebAssembly."""


def guest(name: str, folder: Path) -> Path:
    """Return the guest *name* as a file in *folder*, made unless it is there."""
    if name in NOT_WASM:
        return _written(folder / f"{name}.wasm", NOT_WASM[name])
    file, defines = C_GUESTS.get(name, (f"{name}.wat", ()))
    source = (SOURCES / file).read_bytes()
    made_of = b"\0".join([source, (SOURCES / "guest.h").read_bytes(), *map(str.encode, defines)])
    path = folder / f"{name}-{hashlib.sha256(made_of).hexdigest()[:16]}.wasm"
    if not path.exists():
        _written(path, _compiled(file, defines, folder))
    return path


def deeds(name: str) -> dict[str, str]:
    """Return what the guest `deeds` or `batches` can be asked for, and what it then does."""
    comments = re.findall(r"/\* ([a-z_0-9, ]+): (.*?) ?\*/", (SOURCES / f"{name}.c").read_text())
    return {each: does for names, does in comments for each in names.split(", ")}


def _compiled(file: str, defines: tuple[str, ...], folder: Path) -> bytes:
    source = SOURCES / file
    if source.suffix == ".wat":
        return bytes(wasmtime.wat2wasm(source.read_text()))
    draft = folder / f"{secrets.token_hex(8)}.wasm"
    options = [f"-D{define}" for define in defines]
    command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *options, "-o", draft, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    code = draft.read_bytes()
    draft.unlink()
    return code


def _written(path: Path, code: bytes) -> Path:
    """Write a file as a whole: other processes may want the same."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}.new")
    draft.write_bytes(code)
    draft.replace(path)
    return path
