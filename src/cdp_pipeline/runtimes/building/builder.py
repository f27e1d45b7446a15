"""Build a plugin that is not built, or whose files have changed since.

The manifest's `build` runs in the plugin's folder. What it was built from is remembered in
the host's cache; the host itself writes nothing into a plugin's folder.

Invariant: in one folder one build runs at a time, whichever hosts want it; who waited for
another's build does not repeat it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from shutil import which
from typing import Any

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.observability.logs import logger
from cdp_pipeline.runtimes.building.build_command import build_environment, run_build, withheld
from cdp_pipeline.runtimes.building.exclusive import exclusively
from cdp_pipeline.runtimes.building.python_environment import PythonEnvironment, PythonEnvironments
from cdp_pipeline.runtimes.processes.command import own_executable
from cdp_pipeline.runtimes.processes.logs import LogLines

_NOT_SOURCES = frozenset({"node_modules", "__pycache__", "target"})
_MOST_FILES = 20_000

Found = dict[str, tuple[int, int]]
"""Size and time of change of files, by their place in the folder."""


class Builder:
    """Builds plugins."""

    def __init__(
        self,
        cache: Path,
        environ: Mapping[str, str],
        log_of: Callable[[str], Any] = lambda reference: logger(plugin=reference),
    ) -> None:
        self._folder = cache / "builds"
        self._environ = environ
        self._log_of = log_of
        self._environments = PythonEnvironments(cache, environ)

    def environment_of(self, manifest: Manifest) -> PythonEnvironment | None:
        """Return the plugin's own Python environment, if it has one."""
        return self._environments.of(manifest)

    def is_built(self, manifest: Manifest) -> bool:
        """Tell whether the plugin can be run as it is."""
        environment = self.environment_of(manifest)
        if environment is not None and not environment.is_complete:
            return False
        return not manifest.build or self._is_current(manifest)

    async def ensure(self, manifest: Manifest) -> bool:
        """Build the plugin unless it is built; tell whether anything was done.

        Raises:
            ArtifactError: plugin.build_failed.
        """
        if self.is_built(manifest):
            return False
        async with self._alone(manifest):
            if self.is_built(manifest):
                return False
            await self._build(manifest)
        return True

    async def build(self, manifest: Manifest) -> None:
        """Build the plugin, built or not.

        Raises:
            ArtifactError: plugin.build_failed.
        """
        async with self._alone(manifest):
            await self._build(manifest)

    def _alone(self, manifest: Manifest) -> AbstractAsyncContextManager[None]:
        """Hold the plugin's folder itself, so that hosts with other caches wait as well."""
        log = self._log_of(manifest.metadata().reference)
        record = self._record(manifest)
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return exclusively(
            manifest.folder,
            instead=record.with_suffix(".lock"),
            on_wait=lambda: log.info("waiting: somebody else is building the plugin"),
        )

    async def _build(self, manifest: Manifest) -> None:
        reference = manifest.metadata().reference
        log = self._log_of(reference)
        log.info("building the plugin", folder=str(manifest.folder))
        if hidden := withheld(self._environ):
            log.info("the build does not see variables that look like secrets", withheld=hidden)
        environment = self.environment_of(manifest)
        variables = build_environment(self._environ)
        if environment is None:
            # `python` in a build is the host's own, as it is where a plugin in Python is run.
            own = str(Path(sys.executable).parent)
            variables["PATH"] = os.pathsep.join([own, variables["PATH"]])
        else:
            await self._environments.make(environment, LogLines(log))
            variables |= environment.variables(variables["PATH"])
        if manifest.build:
            await run_build(
                manifest.build,
                folder=manifest.folder.absolute(),
                environment=variables,
                log=LogLines(log),
                what=f"plugin `{reference}` cannot be built",
            )
            self._remember(manifest)
        log.info("built the plugin")

    def _is_current(self, manifest: Manifest) -> bool:
        outputs = outputs_of(manifest)
        if not outputs or not all(path.is_file() for path in outputs):
            return False
        built_from = self._remembered(manifest)
        if built_from is None:  # what somebody else built may lack what cannot be seen here
            return False
        found = dict(_files(manifest.folder))
        suffixes = {Path(name).suffix for name in built_from}
        added = [name for name in found.keys() - built_from.keys() if Path(name).suffix in suffixes]
        return not added and all(found.get(name) == facts for name, facts in built_from.items())

    def _record(self, manifest: Manifest) -> Path:
        told = json.dumps([str(manifest.folder.absolute()), list(manifest.build)])
        return self._folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"

    def _remember(self, manifest: Manifest) -> None:
        record = self._record(manifest)
        draft = record.with_suffix(".new")
        draft.write_text(json.dumps(dict(_files(manifest.folder))), encoding="utf-8")
        draft.replace(record)

    def _remembered(self, manifest: Manifest) -> Found | None:
        try:
            held = json.loads(self._record(manifest).read_text(encoding="utf-8"))
            return {name: (size, changed) for name, (size, changed) in held.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return None


def outputs_of(manifest: Manifest) -> list[Path]:
    """Return the files of the plugin's folder that its command names, there or not."""
    names = [arg for arg in manifest.args if "/" in arg or "." in arg]
    if own_executable(manifest) or "/" in manifest.executable or not which(manifest.executable):
        names.insert(0, manifest.executable)
    return [manifest.folder / name for name in names if name and name[0] not in "-/"]


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield size and time of change of the files below *folder* that a build may read."""
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in _NOT_SOURCES and not n.startswith(".")]
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and (count := count + 1) <= _MOST_FILES:
                facts = path.stat()
                yield str(path.relative_to(folder)), (facts.st_size, facts.st_mtime_ns)
