"""What an installed host has with it, without a checkout beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

BOUND_S = 600
MAIN = "from cdp_pipeline.cli.entry import main; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as pip does it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=BOUND_S)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def flowctl(installed: Path, cwd: Path, *arguments: str) -> str:
    """Run the command line of the unpacked wheel; it must end well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=cwd,
        env=environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.mark.parametrize(("lang", "tool"), [("python", ""), ("go", "go"), ("c", "clang")])
def test_a_plugin_is_made_built_and_tested(
    lang: str, tool: str, installed: Path, tmp_path: Path
) -> None:
    """A wheel holds the templates and the SDKs that they build on."""
    if tool and shutil.which(tool) is None:
        pytest.skip(f"no {tool} on PATH")
    name = f"from-wheel-{lang}"
    flowctl(installed, tmp_path, "plugin", "new", name, "--lang", lang)
    flowctl(installed, tmp_path, "plugin", "build", name)
    assert "3 passed, 0 failed" in flowctl(installed, tmp_path, "test", name)
    if lang != "python":
        files = [tmp_path / name / file for file in ("plugin.yaml", "go.mod")]
        texts = [file.read_text() for file in files if file.is_file()]
        assert any(str(installed / "cdp_pipeline/sdk" / lang) in text for text in texts)


def test_every_sdk_is_whole(installed: Path) -> None:
    """Each source of the checkout that a build needs is in the wheel, and nothing that it made."""
    sdk = installed / "cdp_pipeline/sdk"
    for folder in ("go", "node/src", "rust/src"):
        ours = {each.relative_to(ROOT / "sdk") for each in (ROOT / "sdk" / folder).rglob("*.*")}
        theirs = {each.relative_to(sdk) for each in (sdk / folder).rglob("*.*")}
        assert ours == theirs
    assert not list(sdk.rglob("node_modules"))
    assert not list(sdk.rglob("target"))
    assert (installed / "cdp_pipeline/spec/wit/plugin.wit").is_file()
