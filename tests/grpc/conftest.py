"""Plugins in processes of their own, launched as a host does; none may be left afterwards."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.artifacts.manifest import Manifest, load_manifest
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.runtimes.grpc.loader import GrpcLoader
from cdpplugin import Batch, Context

PLUGINS = Path(__file__).parent / "plugins"
RAW = PLUGINS / "raw.py"


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda message, **fields: self.lines.append((level, message, fields))

    @property
    def messages(self) -> list[str]:
        return [message for _, message, _ in self.lines]


def marked(mark: str) -> list[int]:
    """The processes whose environment names *mark*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid() and is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


class Workshop:
    """A host that launches plugins."""

    def __init__(self, runtime: Path, folder: Path) -> None:
        self.runtime = runtime
        self.folder = folder
        self.log = Lines()
        self.environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime)}
        self.handles: list[Any] = []

    def manifest(self, executable: str, *args: str, **keys: Any) -> Manifest:
        """A manifest in a folder of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        told = {"name": "raw", "version": "1.0.0", "executable": executable, "args": list(args)}
        told["permissions"] = {"files": [self._shared]}
        (folder / "plugin.yaml").write_text(json.dumps(told | keys))
        return load_manifest(folder)

    @property
    def _shared(self) -> dict[str, str]:
        """The test's own folder, in which plugins and tests leave each other notes."""
        return {"path": str(self.folder), "mode": "write"}

    def loader(self, **options: Any) -> GrpcLoader:
        defaults = {"start_timeout_s": 20.0, "grace_s": 5.0, "log_of": lambda reference: self.log}
        return GrpcLoader(self.environ, self.folder / "cache", **(defaults | options))

    async def launch(self, manifest: Manifest, plugin: dict[str, Any], **options: Any) -> Any:
        """A handle; nothing is configured yet."""
        terms = {"permissions": {"files": [self._shared]}} | plugin
        config = PluginConfig(name=manifest.name, path=str(manifest.folder), **terms)
        handle = await self.loader(**options).load(manifest, config)(1)
        self.handles.append(handle)
        return handle

    async def raw(
        self,
        mode: str,
        *args: str,
        timeout_s: float = 20.0,
        sandbox: str = "auto",
        keys: Any = None,
        **options: Any,
    ) -> Any:
        """A started plugin without the SDK."""
        manifest = self.manifest(str(RAW), mode, *args, **(keys or {}))
        terms = {"limits": Limits(timeout=timeout_s), "sandbox": sandbox}
        handle = await self.launch(manifest, terms, **options)
        await handle.start(Context("pipeline", "stage"))
        return handle

    async def script(self, code: str, kind: str = "processor", **plugin: Any) -> Any:
        """A started plugin made of *code*, which uses the SDK."""
        manifest = self.manifest("main.py", type=kind)
        (manifest.folder / "main.py").write_text(code)
        handle = await self.launch(manifest, plugin)
        await handle.configure({})
        await handle.start(Context("pipeline", "stage"))
        return handle


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime folder short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="cdp", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def workshop(runtime: Path, tmp_path: Path) -> AsyncIterator[Workshop]:
    """A host; afterwards nothing that it launched is left, neither process nor folder."""
    held = Workshop(runtime, tmp_path)
    yield held
    for handle in held.handles:
        await handle.stop()
    assert [] == marked(str(runtime))
    assert [] == list((runtime / "cdp").glob("*")) if (runtime / "cdp").exists() else True


def batch(*values: Any, types: list[str] | None = None) -> Batch:
    """A batch of *values*."""
    ids = [f"id-{row}" for row in range(len(values))]
    made = Batch.of("T", values, ids=ids)
    return made if types is None else made.replace(types=types)


def values(outputs: Any) -> list[Any]:
    """The payloads of *outputs*."""
    return [
        part.batch.payloads.value(row) for part in outputs.parts for row in range(len(part.rows))
    ]


assert sys.platform == "linux"
