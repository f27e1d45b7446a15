"""What this machine can do for plugins and pipelines, and what to do about what is missing.

Nothing is changed; tools are only asked for their version.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from cdp_pipeline.config.paths import cache_folder, states_folder

Verdict = Literal["ok", "missing", "weak"]
_ASK_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that this machine can do, or not.

    Attributes:
        group: What it belongs to, such as `Languages`.
        name: What was looked for.
        verdict: `ok`; `weak`: there, with something lacking; `missing`.
        found: What was found, such as a version.
        needed_for: What it is good for.
        hint: What to do about it; empty for `ok`.
    """

    group: str
    name: str
    verdict: Verdict
    found: str = ""
    needed_for: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it as a JSON object."""
        return asdict(self)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what this machine can do; each finding as soon as it is known."""
    yield _python()
    for tool in _TOOLS:
        yield tool.look()
    yield _rust_target()
    yield _c_compiler()
    yield _docker()
    yield _groups()
    yield _landlock()
    yield _folder("state", states_folder(environ), "checkpoints")
    yield _folder("cache", cache_folder(environ), "builds and compiled code")
    yield from _stores(environ)


@dataclass(frozen=True, slots=True)
class _Subject:
    group: str
    name: str
    needed_for: str

    def ok(self, found: str) -> Finding:
        """Return that it is there."""
        return Finding(
            group=self.group,
            name=self.name,
            needed_for=self.needed_for,
            verdict="ok",
            found=found,
        )

    def lacks(self, hint: str, found: str = "") -> Finding:
        """Return that it is not there, or not as it should be."""
        return Finding(
            group=self.group,
            name=self.name,
            needed_for=self.needed_for,
            verdict="weak" if found else "missing",
            found=found,
            hint=hint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    name: str
    command: Sequence[str]
    needed_for: str
    hint: str
    least: tuple[int, ...] = ()

    def look(self) -> Finding:
        """Ask the tool for its version."""
        said = _said(*self.command)
        version = _version(said) if said is not None else None
        about = _Subject("Languages", self.name, self.needed_for)
        if said is None:
            return about.lacks(self.hint)
        found = ".".join(map(str, version)) if version else said.splitlines()[0][:60]
        if version and version < self.least:
            wanted = ".".join(map(str, self.least))
            hint = f"install {self.name} {wanted} or newer"
            return about.lacks(hint, found)
        return about.ok(found)


_TOOLS = (
    _Tool(
        name="Go",
        command=("go", "version"),
        needed_for="plugins in Go, as processes and as WebAssembly",
        hint="install Go 1.24 or newer: https://go.dev/dl",
        least=(1, 24),
    ),
    _Tool(
        name="Node",
        command=("node", "--version"),
        needed_for="plugins in JavaScript and TypeScript",
        hint="install Node 20 or newer: https://nodejs.org",
        least=(20,),
    ),
    _Tool(
        name="npm",
        command=("npm", "--version"),
        needed_for="building plugins in JavaScript",
        hint="it comes with Node",
    ),
    _Tool(
        name="Rust",
        command=("cargo", "--version"),
        needed_for="plugins in Rust",
        hint="install Rust: https://rustup.rs",
        least=(1, 63),
    ),
)


def _python() -> Finding:
    found = platform.python_version()
    about = _Subject("Languages", "Python", "the host, and plugins in Python")
    if importlib.util.find_spec("venv") is None:
        hint = "install the venv module (Debian: apt-get install python3-venv)"
        return about.lacks(hint, found)
    return about.ok(found)


def _rust_target() -> Finding:
    """Look for a Rust that compiles to WebAssembly: its libraries lie in its sysroot."""
    about = _Subject("Languages", "Rust for WebAssembly", "WebAssembly plugins in Rust")
    for compiler in filter(None, (shutil.which("rustc"), "/usr/bin/rustc")):
        root = _said(compiler, "--print", "sysroot")
        places = Path(root.strip(), "lib/rustlib").glob("wasm32-*") if root else ()
        names = sorted(place.name for place in places if (place / "lib").is_dir())
        if names:
            return about.ok(", ".join(names))
    hint = "rustup target add wasm32-unknown-unknown"
    return about.lacks(hint)


def _c_compiler() -> Finding:
    about = _Subject("Languages", "C for WebAssembly", "WebAssembly plugins in C and C++")
    if os.environ.get("WASI_SDK_PATH"):
        return about.ok("wasi-sdk")
    for name in ("clang", *(f"clang-{number}" for number in range(22, 13, -1))):
        if shutil.which(name) and shutil.which("wasm-ld"):
            return about.ok(f"{name} with lld")
    for found in ("zig", "ziglang"):
        if shutil.which(found) or importlib.util.find_spec(found):
            return about.ok(found)
    hint = "pip install ziglang, or install clang and lld"
    return about.lacks(hint)


def _docker() -> Finding:
    about = _Subject("Isolation", "Docker", "plugins in containers")
    if importlib.util.find_spec("docker") is None:
        hint = "pip install 'cdp-pipeline[docker]'"
        return about.lacks(hint)
    docker: Any = import_module("docker")

    try:
        client = docker.from_env(timeout=5)
        try:
            version = str(client.version()["Version"])
        finally:
            client.close()
    except Exception as error:
        why = str(error).splitlines()[0][:100]
        hint = f"start the Docker engine, and see that this user may use it ({why})"
        return about.lacks(hint)
    return about.ok(version)


def _groups() -> Finding:
    from cdp_pipeline.runtimes.confining.places import available

    about = _Subject("Isolation", "control groups", "limits of memory, cpu and pids of processes")
    controllers = available()
    names = sorted(controllers.places)
    if {"memory", "cpu", "pids"} <= set(names):
        found = f"version {controllers.version}: {', '.join(names)}"
        return about.ok(found)
    hint = "delegate a group to the host: systemd-run --user --scope -p Delegate=yes flowctl run"
    found = f"version {controllers.version}: {', '.join(names)}" if names else ""
    return about.lacks(hint, found)


def _landlock() -> Finding:
    from cdp_pipeline.runtimes.confining import landlock

    about = _Subject("Isolation", "Landlock", "confining files and connections of plugin processes")
    abi = landlock.abi() if sys.platform == "linux" else 0
    if abi >= 4:
        return about.ok(f"ABI {abi}")
    hint = "needs Linux 6.7 or newer with `landlock` among its security modules (lsm=)"
    return about.lacks(hint, f"ABI {abi}, files only" if abi else "")


def _folder(name: str, folder: Path, needed_for: str) -> Finding:
    about = _Subject("Folders", name, needed_for)
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if os.access(there, os.W_OK | os.X_OK):
        return about.ok(str(folder))
    hint = f"set XDG_{name.upper()}_HOME to a folder that can be written"
    return about.lacks(hint)


_GOOGLE_CREDENTIALS = ".config/gcloud/application_default_credentials.json"
_STORES: Mapping[str, tuple[Callable[[Mapping[str, str]], bool], str]] = {
    "S3": (
        lambda env: bool(env.get("AWS_ACCESS_KEY_ID") or env.get("AWS_WEB_IDENTITY_TOKEN_FILE")),
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; public buckets need none",
    ),
    "Google Cloud Storage": (
        lambda env: (
            bool(env.get("GOOGLE_APPLICATION_CREDENTIALS"))
            or Path(env.get("HOME", "/"), _GOOGLE_CREDENTIALS).is_file()
        ),
        "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "Azure": (
        lambda env: bool(env.get("AZURE_STORAGE_ACCOUNT_KEY") or env.get("AZURE_CLIENT_ID")),
        "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    ),
}


def _stores(environ: Mapping[str, str]) -> Iterator[Finding]:
    for name, (is_set, hint) in _STORES.items():
        about = _Subject("Object stores", name, "private lakes")
        if is_set(environ):
            yield about.ok("credentials")
        else:
            yield about.lacks(hint)


def _said(*command: str) -> str | None:
    """Return what a tool says; None where it is not there or fails."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands
            command, capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _version(text: str) -> tuple[int, ...] | None:
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else None
