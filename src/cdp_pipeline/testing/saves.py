"""Which changes of a plugin's folder its author has made, and which its own build and work.

A build writes into the folder that is watched. What it makes is no save: folders that hold
nothing else (`bin`, `dist`, `build`), WebAssembly, the executable that the manifest names. What
else changes while a plugin is built and tried may be the author's all the same: it is heeded,
but not when the same files change in one round after another, so that no loop comes of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.manager.watching import contents
from cdp_pipeline.runtimes.building.builder import outputs_of

_MADE_FOLDERS = frozenset({"bin", "build", "dist"})
_HEAD_BYTES = 8192
_MOST_ECHOES = 3
"""So many rounds in a row are tried again for what has changed during them."""
_QUIET_S = 3.0
"""What changes after nothing has for so long is no echo of a round."""


class Saves:
    """What has changed in *places*: a plugin's folder or file, and files of inputs.

    Args:
        places: What is watched.
        manifest: The plugin's manifest, where it has one.

    Attributes:
        passed_over: Files that were no news for the first time at the last look, as each round
            changes them; sorted.
    """

    def __init__(self, places: Iterable[Path], manifest: Manifest | None = None) -> None:
        self._places = [place.absolute() for place in places]
        self._manifest = manifest
        self._own: set[str] = set()
        self._echoes = 0
        self._changed_s = 0.0
        self._contents = self._now()
        self.passed_over: Sequence[str] = ()

    def news(self) -> list[str]:
        """Return the files that were saved since the last look, sorted."""
        before, self._contents = self._contents, self._now()
        changed = _differing(before, self._contents)
        now_s = time.monotonic()
        if changed and changed <= self._own and now_s - self._changed_s < _QUIET_S:
            self._echoes += 1
        elif changed:
            self._echoes = 0
        self._changed_s = now_s
        is_echo = self._echoes > _MOST_ECHOES
        self.passed_over = sorted(changed) if self._echoes == _MOST_ECHOES + 1 else ()
        return [] if is_echo else sorted(changed)

    def settle(self) -> None:
        """Take note of what has changed while the plugin was built and tried.

        Files that were not there before are its own work; others are news once more.
        """
        now = self._now()
        self._own = _differing(self._contents, now)
        self._contents = now | self._contents
        self._changed_s = time.monotonic()

    def _now(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for place in self._places:
            found |= contents(place)
        return {name: digest for name, digest in found.items() if not self._is_made(Path(name))}

    def _is_made(self, path: Path) -> bool:
        """Tell whether the build of the plugin makes this file."""
        manifest = self._manifest
        if manifest is None or not manifest.build:
            return False
        folder = manifest.folder.absolute()
        if not path.is_relative_to(folder):
            return False
        if _MADE_FOLDERS.intersection(path.relative_to(folder).parts[:-1]):
            return True
        named = [output.absolute() for output in outputs_of(manifest)]
        return path.suffix == ".wasm" or (path in named and _is_binary(path))


def _is_binary(path: Path) -> bool:
    """Tell an executable from a script, which its author writes."""
    try:
        with path.open("rb") as file:
            return b"\0" in file.read(_HEAD_BYTES)
    except OSError:
        return True


def _differing(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> set[str]:
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
