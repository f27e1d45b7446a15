"""Which files a confined process reaches: what programs need to run, its own, what is granted.

Everything else is closed to it, the user's own files and the system's secrets among that,
also where the user is root.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import cdpplugin
from cdp_pipeline.errors import ConfigError

Rule = tuple[str, str]
"""A path, and a word of `landlock.ACCESS`."""

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/nix/store", "/gnu/store"),
)
_SETTINGS = (
    *("alternatives", "ca-certificates", "crypto-policies", "gai.conf", "group", "host.conf"),
    *("hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "locale.alias"),
    *("locale.conf", "localtime", "machine-info", "mime.types", "nsswitch.conf", "os-release"),
    *("passwd", "pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf"),
    *("protocols", "resolv.conf", "services", "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf"),
    *("timezone", "zoneinfo"),
)
"""Of /etc: no folder that holds keys, and never `shadow` or `sudoers`."""
_FACTS = (
    *("/proc/cpuinfo", "/proc/filesystems", "/proc/loadavg", "/proc/meminfo", "/proc/stat"),
    *("/proc/sys", "/proc/uptime", "/proc/version", "/sys/devices/system", "/sys/fs/cgroup"),
    "/sys/kernel/mm/transparent_hugepage",
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_SDK = Path(cdpplugin.__file__).resolve().parent
_OF_A_PREFIX = ("bin", "lib", "lib64", "libexec", "pyvenv.cfg")
"""What a program needs of the folder in which it is installed beside others."""


def rules_for(
    command: Sequence[str],
    folder: Path,
    own: Path,
    environment: Mapping[str, str],
    granted: Mapping[str, bool],
) -> list[Rule]:
    """Return what a plugin reaches.

    Args:
        command: What is executed.
        folder: The plugin's folder, for reading and executing.
        own: The folder of its launch, for writing.
        environment: Its environment; `PATH` and `VIRTUAL_ENV` say what it runs in.
        granted: Further paths, and whether they may be written.

    Raises:
        ConfigError: plugin.grant_invalid; a granted path is not there.
    """
    rules = [(path, "execute") for path in _SYSTEM]
    rules += [(f"/etc/{name}", "read") for name in _SETTINGS]
    rules += [(path, "read") for path in _FACTS]
    rules += [(path, "device") for path in _DEVICES]
    executed = [*_executed(command, environment), *_linked_packages(folder)]
    rules += [(str(path), "execute") for path in (*executed, folder)]
    # Python looks for a module by listing the folder that should hold it.
    rules += [(str(_SDK.parent), "list"), (str(_SDK), "read"), (str(own), "write")]
    for path, may_write in granted.items():
        if not os.path.exists(path):
            raise ConfigError(
                f"expected a folder or file at `{path}`, which is granted under "
                "`permissions.files`",
                code="plugin.grant_invalid",
                hint="make it before the plugin starts",
            )
        rules.append((path, "write" if may_write else "read"))
    return [(path, word) for path, word in dict.fromkeys(rules) if os.path.exists(path)]


def _executed(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield what is needed to execute *command*: its files, its interpreter, its libraries."""
    found = shutil.which(command[0], path=environment.get("PATH"))
    program = Path(found or command[0])
    yield program
    yield from _installed_with(program)
    if interpreter := _interpreter(program, environment):
        yield from (Path(interpreter), *_installed_with(Path(interpreter)))
    if len(command) > 1 and os.path.isabs(command[1]) and Path(command[1]).is_file():
        yield Path(command[1])
    for place in environment.get("PATH", "").split(os.pathsep):
        if os.path.isabs(place) and not Path.home().is_relative_to(place):
            yield Path(place)
    if virtual := environment.get("VIRTUAL_ENV"):
        yield Path(virtual)
    yield from _of_python()


def _interpreter(program: Path, environment: Mapping[str, str]) -> str | None:
    """Return who runs a script, by its first line: `#!/usr/bin/env node`."""
    with suppress(OSError), program.open("rb") as file:
        line = file.readline(256)
        if line.startswith(b"#!") and (words := os.fsdecode(line[2:]).split()):
            return shutil.which(words[-1], path=environment.get("PATH"))
    return None


def _installed_with(program: Path) -> Iterator[Path]:
    """Yield libraries beside a program, and beside what its name leads to."""
    for each in {program, program.resolve()}:
        if each.parent.name in ("bin", "sbin"):
            yield from _of_prefix(each.parent.parent)


def _of_python() -> Iterator[Path]:
    """Yield the host's own Python, which runs plugins without an environment of their own.

    The environments of the others are made of it, and lend its SDK.
    """
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        yield from _of_prefix(Path(prefix))
    yield from _installed_with(Path(sys.executable))


def _of_prefix(prefix: Path) -> Iterator[Path]:
    yield from (prefix / name for name in _OF_A_PREFIX)


def _linked_packages(folder: Path) -> Iterator[Path]:
    """Yield the folders of packages that npm has linked into the plugin's, as `file:` asks.

    A link counts only where it leads to the very package that it is called after.
    """
    modules = folder / "node_modules"
    for link in _links((modules, *_scopes(modules))):
        name = str(link.relative_to(modules))
        target = link.resolve()
        try:
            said = json.loads((target / "package.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(said, dict) and said.get("name") == name:
            yield target


def _scopes(modules: Path) -> list[Path]:
    return sorted(modules.glob("@*")) if modules.is_dir() else []


def _links(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if path.is_symlink())
