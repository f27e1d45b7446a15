"""Plugins of every runtime in two versions that stamp their version, and bad versions of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.artifacts.self_test import cases_for
from cdp_pipeline.config.limits import Limits
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.manager.instance import Candidate

SDK_C = Path(__file__).parents[2] / "sdk/c"

PROCESS = """
import os, sys, time
from cdpplugin import Base, HealthStatus, JsonPayloads, OutputPart, Outputs, PluginMetadata
from cdpplugin import encode_json, serve

class Stamp(Base):
    def metadata(self):
        return PluginMetadata("stamp", "VERSION", "processor")

    async def start(self, context):
        if "BAD" == "start":
            os._exit(7)
        if "BAD" == "start_raises":
            raise RuntimeError("cannot start")

    async def health(self):
        return HealthStatus("unhealthy", "sick") if "BAD" == "health" else HealthStatus()

    async def process_batch(self, batch):
        if "BAD" == "crash":
            os._exit(9)
        if "BAD" == "slow":
            time.sleep(3600)
        rows = range(len(batch))
        values = [batch.payloads.value(row) | {"version": "VERSION"} for row in rows]
        texts = [encode_json(value) for value in values]
        if "BAD" == "garbage":
            texts = [b"{no json" for _ in rows]
        return Outputs([OutputPart(batch.replace(payloads=JsonPayloads(texts)), rows)])

serve(Stamp())
"""

GUEST = r"""
#define CDPPLUGIN_IMPLEMENTATION
#include "cdpplugin.h"

static cdp_result process(cdp_message *message, cdp_outputs *outputs) {
    cdp_object payload;
    if (BAD == 1) cdp_panic("crashes");
    if (BAD == 2) for (volatile int i = 0;; i++) {}
    if (!cdp_object_read(&payload, message->payload)) return cdp_fail("no object");
    cdp_object_set_text(&payload, "version", CDP_TEXT(VERSION));
    message->payload = BAD == 3 ? CDP_TEXT("{no json") : cdp_object_text(&payload);
    cdp_emit(outputs, message);
    return cdp_ok();
}

CDP_PROCESSOR("stamp", VERSION, process)
"""


class Process:
    """A plugin in a process of its own."""

    def __init__(self, folder: Path, loader: Any) -> None:
        self.folder = folder
        self._loader = loader

    def put(self, version: str, bad: str = "") -> None:
        """Put a version into the plugin's folder."""
        self.folder.mkdir(exist_ok=True)
        code = PROCESS.replace("VERSION", version).replace("BAD", bad)
        _replace(self.folder / "main.py", code.encode())
        self._manifest(version, "main.py")

    def _manifest(self, version: str, executable: str) -> None:
        told = {"name": "stamp", "version": version, "executable": executable}
        _replace(self.folder / "plugin.yaml", json.dumps(told).encode())

    def candidate(self, **limits: Any) -> Candidate:
        """What the folder holds now."""
        manifest = load_manifest(self.folder)
        plugin = PluginConfig(name="stamp", path=str(self.folder), limits=Limits(**limits))
        return Candidate(
            launch=self._loader.load(manifest, plugin),
            config_of=lambda _: {},
            workers=2,
            cases=cases_for(self.folder, {}, {}),
        )


class Guest(Process):
    """The same as WebAssembly."""

    _BAD: Mapping[str, int] = {"": 0, "crash": 1, "slow": 2, "garbage": 3}

    def put(self, version: str, bad: str = "") -> None:
        """Put a version into the plugin's folder, compiled unless it has been."""
        self.folder.mkdir(exist_ok=True)
        built = self.folder.parent / f"{version}{bad}.wasm"
        if not built.exists():
            source = self.folder.parent / "stamp.c"
            source.write_text(GUEST)
            compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
            flags = ["-O2", "-mbulk-memory", "-nostdlib", "-Wl,--no-entry", f"-I{SDK_C}"]
            told = [f'-DVERSION="{version}"', f"-DBAD={self._BAD[bad]}"]
            command = [*compiler, *flags, *told, "-o", built, source]
            subprocess.run(command, check=True, timeout=300)
        draft = self.folder / "draft"
        shutil.copy(built, draft)
        draft.replace(self.folder / "stamp.wasm")
        self._manifest(version, "stamp.wasm")


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(data)
    draft.replace(path)
