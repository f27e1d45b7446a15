"""A Python plugin's own environment: in the cache, shared by plugins with the same lock file.

What a plugin depends on is installed neither in the host's environment nor in the plugin's
folder. The SDK is the host's own, so that both speak the same protocol; everything else
comes from the plugin's lock file, `requirements.lock` or `requirements.txt`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path

import cdpplugin
from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.runtimes.building.build_command import build_environment, run_build
from cdp_pipeline.runtimes.building.exclusive import exclusively
from cdp_pipeline.runtimes.processes.logs import LogLines

LOCK_FILES = ("requirements.lock", "requirements.txt")
_SDK_NEEDS = ("msgspec", "protobuf", "grpcio", "grpcio-health-checking")
_COMPLETE = ".complete"
_ISOLATED = ("-I", "-m")
"""Run a module of Python's own: one of this name in the plugin's folder is something else."""


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """An environment, made or not.

    Attributes:
        folder: Where it is.
        lock_file: What is to be installed in it.
    """

    folder: Path
    lock_file: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def is_complete(self) -> bool:
        """Whether it can be used."""
        return (self.folder / _COMPLETE).is_file()

    def variables(self, search_path: str) -> dict[str, str]:
        """Return the environment variables of a process that runs in it."""
        path = os.pathsep.join([str(self.folder / "bin"), search_path])
        return {"PATH": path, "VIRTUAL_ENV": str(self.folder)}


class PythonEnvironments:
    """The environments of this user's Python plugins."""

    def __init__(self, cache: Path, environ: Mapping[str, str]) -> None:
        self._folder = cache / "envs"
        self._environ = environ

    def of(self, manifest: Manifest) -> PythonEnvironment | None:
        """Return the environment of a plugin; None for one that brings no lock file."""
        for name in LOCK_FILES:
            lock_file = manifest.folder / name
            if lock_file.is_file():
                return PythonEnvironment(self._folder / _digest(lock_file), lock_file.absolute())
        return None

    async def make(self, environment: PythonEnvironment, log: LogLines) -> None:
        """Make *environment*, unless it is complete.

        Raises:
            ArtifactError: plugin.build_failed; something cannot be installed.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with exclusively(environment.folder.with_suffix(".lock")):
            if environment.is_complete:
                return
            shutil.rmtree(environment.folder, ignore_errors=True)
            await self._run(
                [sys.executable, *_ISOLATED, "venv", str(environment.folder)], environment, log
            )
            _put_sdk(environment)
            needs = [f"{name}>={version(name)}" for name in _SDK_NEEDS]
            pip = [str(environment.python), *_ISOLATED, "pip", "install", "--no-input"]
            quiet = ["--disable-pip-version-check", "--quiet"]
            await self._run(
                [*pip, *quiet, "-r", str(environment.lock_file), *needs], environment, log
            )
            (environment.folder / _COMPLETE).touch()

    async def _run(self, command: list[str], environment: PythonEnvironment, log: LogLines) -> None:
        await run_build(
            command,
            folder=environment.lock_file.parent,
            environment=build_environment(self._environ),
            log=log,
            what="the plugin's Python environment cannot be made",
        )


def _digest(lock_file: Path) -> str:
    """Return a name for the environment of *lock_file*, the interpreter and the host's SDK."""
    held = hashlib.sha256(lock_file.read_bytes())
    for fact in (sys.version, platform.machine(), cdpplugin.__version__, str(_sdk_folder())):
        held.update(b"\0" + fact.encode())
    return held.hexdigest()[:32]


def _sdk_folder() -> Path:
    return Path(cdpplugin.__file__).resolve().parent


def _put_sdk(environment: PythonEnvironment) -> None:
    """Make the host's SDK importable, and known to pip as installed."""
    [packages] = environment.folder.glob("lib/python*/site-packages")
    (packages / "cdpplugin").symlink_to(_sdk_folder())
    facts = packages / f"cdpplugin-{cdpplugin.__version__}.dist-info"
    facts.mkdir()
    text = distribution("cdpplugin").read_text("METADATA")
    assert text is not None
    (facts / "METADATA").write_text(text, encoding="utf-8")
    (facts / "RECORD").touch()
