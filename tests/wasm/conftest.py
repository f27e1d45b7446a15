"""WebAssembly plugins, loaded as a host does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.artifacts.manifest import Manifest, load_manifest
from cdp_pipeline.config.limits import Limits, Permissions
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.runtimes.wasm.loader import WasmLoader
from cdpplugin import Batch, Context
from tests.grpc.conftest import Lines
from tests.wasm import _wat


class Workshop:
    """A host that loads guests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = Lines()
        self.environ: dict[str, str] = {"CANARY": "sings"}
        self.handles: list[Any] = []
        self.loader = WasmLoader(self.environ, folder / "cache", log_of=lambda _: self.log)
        self._count = 0

    def written(self, source: str | bytes) -> Path:
        """The file of a guest."""
        self._count += 1
        name = f"guest-{self._count}.wasm"
        if isinstance(source, str):
            return _wat.written(self.folder, source, name)
        path = self.folder / name
        path.write_bytes(source)
        return path

    def manifest(self, source: str, **keys: Any) -> Manifest:
        """A manifest in a folder of its own, beside its guest."""
        self._count += 1
        folder = self.folder / f"plugin-{self._count}"
        folder.mkdir()
        _wat.written(folder, source)
        told = {"name": "guest", "version": "1.0.0", "executable": "guest.wasm"}
        (folder / "plugin.yaml").write_text(json.dumps(told | keys))
        return load_manifest(folder)

    async def launch(
        self,
        source: str | bytes | Manifest,
        *,
        limits: Mapping[str, Any] | None = None,
        permissions: Mapping[str, Any] | None = None,
        workers: int = 1,
    ) -> Any:
        """A handle; nothing is configured yet."""
        path = "" if isinstance(source, Manifest) else str(self.written(source))
        plugin = PluginConfig(
            name="guest",
            type="wasm",
            path=path,
            limits=Limits(**(limits or {})),
            permissions=Permissions(**(permissions or {})),
        )
        if isinstance(source, Manifest):
            handle = await self.loader.load(source, plugin)(workers)
        else:
            handle = await self.loader.load_file(Path(path), plugin)(workers)
        self.handles.append(handle)
        return handle

    async def started(self, source: str | bytes | Manifest, **options: Any) -> Any:
        """A started handle."""
        handle = await self.launch(source, **options)
        await handle.configure({})
        await handle.start(Context("pipeline", "stage"))
        return handle


@pytest.fixture
async def workshop(tmp_path: Path) -> AsyncIterator[Workshop]:
    """A host; afterwards all its plugins are stopped."""
    held = Workshop(tmp_path)
    yield held
    for handle in held.handles:
        await handle.stop()


def batch(*ids: str, **columns: Any) -> Batch:
    """Messages with these ids."""
    return Batch.of("T", [{"n": row} for row in range(len(ids))], ids=list(ids), **columns)


def ids(outputs: Any) -> list[str]:
    """The ids of *outputs*, in order."""
    return [identity for part in outputs.parts for identity in part.batch.ids]


def codes(outputs: Any) -> dict[int, str]:
    """The codes of the rows that failed."""
    return {row: error.code for row, error in outputs.errors.items()}
