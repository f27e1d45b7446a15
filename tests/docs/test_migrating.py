"""The guide on migrating does what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from cdp_pipeline.cli.main import app
from tests._flowctl import BOUND_S, COMMAND, flowctl
from tests.conftest import ROOT

PAGE = ROOT / "docs/guides/migrating.md"
GUIDE = PAGE.read_text()
FILES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL))


def blocks(language: str) -> list[str]:
    """Return the code blocks in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the old files that the guide shows."""
    for name in ("legacy.yaml", "v2.yaml"):
        (tmp_path / name).write_text(f"# {name}\n{FILES[name]}")
    return tmp_path


def test_its_commands_work(folder: Path) -> None:
    """The block of commands runs to its end, and what it converts is valid."""
    script = blocks("sh")[0].replace("flowctl ", f"{COMMAND} ")
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    assert "Payments.yaml is valid: galexie -> rows -> filter -> save-to-parquet" in done.stdout


def test_what_has_no_counterpart_is_told_as_printed(folder: Path) -> None:
    """The v2 file ends with exit code 1 and the very error of the guide; the rest is written."""
    done = flowctl("config", "upgrade", "v2.yaml", "--out", "new.yaml", cwd=folder)

    assert 1 == done.code
    assert re.findall(r"```\n(error.*?)```", GUIDE, re.DOTALL)[0] in done.err
    assert 1 == (folder / "new.yaml").read_text().count("# NO COUNTERPART")
    assert 0 == flowctl("validate", "new.yaml", cwd=folder).code


def test_its_plugin_builds_and_keeps_the_contract(tmp_path: Path) -> None:
    """The Go plugin and its manifest are complete as printed."""
    if shutil.which("go") is None:
        pytest.skip("no go on PATH")
    [plugin] = [block for block in blocks("go") if "large-payments" in block]
    (tmp_path / "main.go").write_text(plugin)
    (tmp_path / "plugin.yaml").write_text(FILES["plugin.yaml"])
    example = ROOT / "examples/plugins/enrich-go"
    module = (example / "go.mod").read_text().replace("../../../sdk/go", str(ROOT / "sdk/go"))
    (tmp_path / "go.mod").write_text(module)
    shutil.copy(example / "go.sum", tmp_path)
    built = flowctl("plugin", "build", tmp_path)
    checked = flowctl("plugin", "conformance", tmp_path)

    assert 0 == built.code, built.err
    assert 0 == checked.code, checked.out + checked.err


def test_its_commands_exist() -> None:
    """Each command that the text names is one."""
    lines = re.findall(r"`flowctl ([a-z]+(?: [a-z]+)*) ", GUIDE)

    assert len(lines) > 2
    for line in lines:
        command, words = typer.main.get_command(app), line.split()
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]


def test_every_link_leads_somewhere() -> None:
    """Relative links name files that exist."""
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (PAGE.parent / target).exists(), target
