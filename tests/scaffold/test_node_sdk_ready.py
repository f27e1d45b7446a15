"""`sdk/node/ready.js`: the Node SDK is built once, whoever asks, and again when it has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

BOUND_S = 120
BUILD = """
import { appendFileSync, mkdirSync } from "node:fs";
const at = (path) => new URL(path, import.meta.url);
mkdirSync(at("dist"), { recursive: true });
appendFileSync(at("builds.txt"), "built\\n");
"""


@pytest.fixture
def sdk(tmp_path: Path) -> Path:
    """Give a folder that is laid out as the SDK, and is built at once."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on PATH")
    folder = tmp_path / "sdk/node"
    (folder / "src").mkdir(parents=True)
    (tmp_path / "spec/wit").mkdir(parents=True)
    (tmp_path / "spec/wit/plugin.wit").write_text("1")
    shutil.copy(ROOT / "sdk/node/ready.js", folder)
    package = {"name": "sdk", "version": "1.0.0", "type": "module"}
    lock = {"name": "sdk", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": package}}
    for name, text in {
        "package.json": json.dumps(package),
        "package-lock.json": json.dumps(lock),
        "tsconfig.json": "{}",
        "build.js": BUILD,
        "src/index.ts": "1",
    }.items():
        (folder / name).write_text(text)
    return folder


def ready(sdk: Path, times: int = 1) -> Sequence[int]:
    """Ask so many times at once; return the exit codes."""
    asked = [subprocess.Popen(["node", sdk / "ready.js"]) for _ in range(times)]
    try:
        return [process.wait(BOUND_S) for process in asked]
    finally:
        for process in asked:
            process.kill()


def builds(sdk: Path) -> int:
    return len((sdk / "builds.txt").read_text().splitlines())


def test_it_is_built_once(sdk: Path) -> None:
    """Several who ask at once wait for one build; later it is there."""
    assert [0, 0, 0] == ready(sdk, 3)
    assert [0] == ready(sdk)
    assert 1 == builds(sdk)


@pytest.mark.parametrize("source", ["src/index.ts", "../../spec/wit/plugin.wit"])
def test_it_has_changed(sdk: Path, source: str) -> None:
    """It is built again when something that goes into it is another one."""
    ready(sdk)
    (sdk / source).write_text("2")
    assert [0] == ready(sdk)
    assert 2 == builds(sdk)


@pytest.mark.parametrize("holder", ["", "gone"])
def test_a_builder_was_killed(sdk: Path, holder: str) -> None:
    """What a builder that was killed has left behind, however early, stops nobody."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    (sdk / ".building").write_text(str(ended.pid) if holder else "")
    assert [0, 0] == ready(sdk, 2)
    assert 1 == builds(sdk)
