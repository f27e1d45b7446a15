"""How the blocks of pages are tried: one function for each kind of block."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cdp_pipeline.admin.metrics import METRICS
from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.cli.main import app
from cdp_pipeline.config import load_pipeline
from cdp_pipeline.config.pipeline import PluginConfig
from cdp_pipeline.host.validation import check
from tests.docs._pages import Block

ENVIRONMENT = {"ENRICH_TOKEN": "secret", "DATABASE_URL": "postgresql://localhost/x"}
_SOURCE = "name: part\nsource: {type: jsonl, config: {path: in.jsonl}}\n"
_MANIFEST = "name: {name}\nversion: 1.2.0\nexecutable: python\nargs: [plugin.py]\n"
_ELSEWHERE = "name: {name}\nversion: 1.2.0\naddress: dns:///example.org:443\n"
_FUNCTION = """from cdpplugin import Message, processor


@processor("{name}", "1.2.0")
def function(message: Message) -> Message:
    return message
"""


def pipeline(block: Block, folder: Path) -> None:
    """A pipeline file, or a part of one, which then gets a source: it parses and validates.

    Plugins that it names are put where it says, and listed where it does not list them.
    """
    text = block.text
    if "source:" not in text:
        text = _SOURCE + text
    elif not any(line.startswith("name:") for line in text.splitlines()):
        text = "name: part\n" + text
    if "plugins:" not in text:
        text += "plugins: [{name: enrich, path: plugins/enrich}]\n"
    if "pipeline:" not in text:
        text += "pipeline: [{plugin: enrich}]\n"
    file = folder / "pipeline.yaml"
    file.write_text(text)
    config = load_pipeline(file, ENVIRONMENT)
    for plugin in config.plugins:
        _put(plugin, folder)

    assert [] == [str(fault) for fault in check(config, ENVIRONMENT).faults], block


def _put(plugin: PluginConfig, folder: Path) -> None:
    name, path = plugin.name, Path(plugin.path)
    if not path.is_relative_to(folder):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".py":
        path.write_text(_FUNCTION.format(name=name))
    elif path.suffix == ".wasm":
        path.write_bytes(b"\0asm\1\0\0\0")
    else:
        path.mkdir(exist_ok=True)
        is_remote = plugin.tls is not None
        text = (_ELSEWHERE if is_remote else _MANIFEST).format(name=name)
        (path / "plugin.yaml").write_text(text)
        (path / "plugin.py").write_text(_FUNCTION.format(name=name))


def manifest(block: Block, folder: Path) -> None:
    """A manifest, or a part of one: it is read without a fault."""
    file = folder / "plugin.yaml"
    is_whole = any(line.startswith("name:") for line in block.text.splitlines())
    file.write_text(block.text if is_whole else f"name: part\nversion: 1.0.0\n{block.text}")

    assert load_manifest(file).name, block


def valid_json(block: Block, folder: Path) -> None:
    """JSON: it parses."""
    json.loads(block.text)


def commands(block: Block, folder: Path) -> None:
    """Lines with `flowctl`: each command and each of its options exists."""
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            parsed(words[words.index("flowctl") + 1 :])


def session(block: Block, folder: Path) -> None:
    """Commands with what they print: each line that begins with `flowctl` is one."""
    lines = [line for line in block.text.splitlines() if line.startswith("flowctl ")]
    assert lines, block
    for line in lines:
        parsed(shlex.split(line, comments=True)[1:])


def parsed(words: list[str]) -> None:
    """Parse a command line as `flowctl` would, and run nothing."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, list(words), resilient_parsing=True)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, words


def go_file(block: Block, folder: Path) -> None:
    """A Go file: `tests/docs/test_go_blocks.py` compiles those of all guides in one module."""


def drawing(block: Block, folder: Path) -> None:
    """A drawing of text: no line is too long for a phone."""
    assert "text" == block.language, block
    assert 40 > max(map(len, block.text.splitlines())), block


def by(module: str) -> Callable[[Block, Path], None]:
    """Return the handler of a block that a test module of its own tries."""

    def handled(block: Block, folder: Path) -> None:
        file = Path(__file__).with_name(f"{module}.py")
        assert f"docs/{block.page}" in file.read_text(), f"{file.name} does not read {block.page}"

    return handled


Handler = Callable[[Block, Path], None]
Handlers = Mapping[str, list[Handler]]


def scrape_config(block: Block, folder: Path) -> None:
    """A configuration of Prometheus: its own tool finds no fault in it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH")
    (folder / "token").write_text("x")
    file = folder / "prometheus.yml"
    file.write_text(re.sub(r"(credentials_file: ).*", rf"\g<1>{folder / 'token'}", block.text))
    done = subprocess.run(
        [promtool, "check", "config", str(file)], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def queries(block: Block, _folder: Path) -> None:
    """Queries of Prometheus: each is about metrics that there are."""
    known = {metric.shown_name for metric in METRICS}
    for line in block.text.splitlines():
        names = set(re.findall(r"\bcdp_\w+", line))
        assert names, line
        assert names <= known, line
