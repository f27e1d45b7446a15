"""Plugins in two versions that write their version into every message, each in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from bench.process_plugins import PLUGINS, built_go_plugin
from bench.wasm_guests import built_c

VERSIONS = ("1.0.0", "1.0.1")


class Stamps:
    """A plugin folder in which one version takes another's place.

    Args:
        folder: Where all of it is put.
        build: Puts a version into a folder.
    """

    def __init__(self, folder: Path, build: Callable[[str, Path], None]) -> None:
        self.folder = folder / "plugin"
        self.folder.mkdir(parents=True)
        self._built = {version: folder / version for version in VERSIONS}
        for version, place in self._built.items():
            place.mkdir()
            build(version, place)

    def put(self, version: str) -> None:
        """Put a version in the place of the one that is there, each file at one stroke."""
        for file in self._built[version].iterdir():
            draft = self.folder / f".{file.name}"
            draft.unlink(missing_ok=True)
            os.link(file, draft)
            draft.replace(self.folder / file.name)


def in_go(folder: Path) -> Stamps:
    """Return the Go plugin.

    Raises:
        Skip: There is no Go here, or it cannot build the plugin.
    """

    def build(version: str, place: Path) -> None:
        built_go_plugin("stamp_go", place, "-ldflags", f"-X main.version={version}")
        executable = place / "stamp_go" / "stamp-go"
        executable.replace(place / "stamp-go")
        shutil.rmtree(place / "stamp_go")
        _manifest("stamp_go", version, place)

    return Stamps(folder, build)


def in_python(folder: Path) -> Stamps:
    """Return the Python plugin."""

    def build(version: str, place: Path) -> None:
        code = (PLUGINS / "stamp_python" / "plugin.py").read_text()
        (place / "plugin.py").write_text(code.replace(VERSIONS[0], version))
        _manifest("stamp_python", version, place)

    return Stamps(folder, build)


def in_c(folder: Path) -> Stamps:
    """Return the guest in C.

    Raises:
        Skip: No compiler here makes modules.
    """

    def build(version: str, place: Path) -> None:
        built_c("stamp_c", place, "stamp.c", f'-DVERSION="{version}"')
        _manifest("stamp_c", version, place)

    return Stamps(folder, build)


def _manifest(name: str, version: str, place: Path) -> None:
    text = (PLUGINS / name / "plugin.yaml").read_text()
    (place / "plugin.yaml").write_text(text.replace(VERSIONS[0], version))
