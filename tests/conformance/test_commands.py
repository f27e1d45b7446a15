"""`flowctl plugin`: build, inspect and conformance, on real plugins in real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests._flowctl import flowctl, wait_until

from .conftest import PLUGINS

REFERENCE = PLUGINS / "reference-python"
MANIFEST = """
name: {name}
version: 1.0.0
description: Made for a test
executable: plugin.py
args: [{args}]
"""
DIES = '''
import os
import cdpplugin

@cdpplugin.processor("dies", "1.0.0")
def dies(message):
    """End the whole process when a payload makes no sense."""
    try:
        message.payload
    except cdpplugin.PluginError:
        os._exit(3)
    return message

cdpplugin.serve(dies)
'''
PAYMENTS = """
import cdpplugin

@cdpplugin.processor("payments", "1.0.0", input_types=["Payment"])
def payments(message):
    return message if message.payload["amount"] >= payments.config["least"] else None

if __name__ == "__main__":
    cdpplugin.serve(payments)
"""
ASKS = """
import os
import cdpplugin

said = f"the secret is {os.environ.get('A_SECRET', 'none')}"

@cdpplugin.processor("asks", "1.0.0", description=said)
def asks(message):
    return message

cdpplugin.serve(asks)
"""
SAMPLE = """
config: {least: 5}
messages:
  - {type: Payment, payload: {amount: 4}}
  - {type: Payment, payload: {amount: 5}, metadata: {note: é}}
"""


def plugin_folder(folder: Path, name: str, code: str, args: str = "") -> Path:
    """Write a plugin with its manifest."""
    (folder / "plugin.py").write_text(code)
    (folder / "plugin.yaml").write_text(MANIFEST.format(name=name, args=args))
    return folder


def cases(out: str) -> dict[str, dict[str, Any]]:
    return {each["case"]: each for each in json.loads(out)["cases"]}


def test_inspect_shows_what_a_plugin_says_of_itself() -> None:
    """Name, kind, protocol, SDK, features and configuration, for people."""
    shown = flowctl("plugin", "inspect", REFERENCE / "source.yaml")
    assert (0, "") == (shown.code, shown.err)
    lines = shown.out.splitlines()
    assert "cdp-reference-source@1.0.0 (source, grpc)" == lines[0]
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    assert ("1", "Reference.Number") == (facts["protocol"].strip(), facts["gives"].strip())
    assert {"configure", "lifecycle", "read"} <= set(facts["features"].replace(",", "").split())
    assert facts["sdk"].strip().startswith("python/")
    assert any(line.startswith("  fail_with: fail | retry | fatal | panic") for line in lines)


def test_inspect_gives_json() -> None:
    """The same for machines, schemas included."""
    shown = flowctl("plugin", "inspect", REFERENCE, "--output", "json")
    held = json.loads(shown.out)
    assert ("cdp-reference-processor", "1.0.0", "processor") == (
        held["name"],
        held["version"],
        held["type"],
    )
    assert ("grpc", 1) == (held["runtime"], held["protocol"])
    assert {"stream", "process_batch", "state"} <= set(held["features"])
    assert held["serves_health"] is True
    assert held["config_schema"]["additionalProperties"] is False


def test_inspect_tells_where_a_plugin_contradicts_its_manifest(tmp_path: Path) -> None:
    """The plugin's word counts; the difference is shown."""
    plugin_folder(tmp_path, "other-name", PAYMENTS)
    shown = flowctl("plugin", "inspect", tmp_path)
    assert "payments@1.0.0 (processor, grpc)" == shown.out.splitlines()[0]
    assert "`payments`, its manifest says `other-name`" in shown.out


@pytest.mark.parametrize(("grant", "seen"), [((), "none"), (("--grant",), "hush")])
def test_a_manifest_alone_grants_nothing(tmp_path: Path, grant: tuple[str, ...], seen: str) -> None:
    """Whoever looks at a stranger's plugin hands it no secret; what it asked for is told."""
    plugin_folder(tmp_path, "asks", ASKS)
    with (tmp_path / "plugin.yaml").open("a") as manifest:
        manifest.write("permissions: {env: [A_SECRET]}\n")
    shown = flowctl("plugin", "inspect", tmp_path, "-o", "json", *grant, env={"A_SECRET": "hush"})
    assert f"the secret is {seen}" == json.loads(shown.out)["description"]
    assert (not grant) == ("it asks for A_SECRET; --grant" in shown.err)


def test_inspect_takes_a_python_file() -> None:
    """A native plugin has metadata and no protocol."""
    shown = flowctl("plugin", "inspect", PLUGINS / "large_payments.py", "-o", "json")
    held = json.loads(shown.out)
    assert ("large-payments", "native", None) == (held["name"], held["runtime"], held["protocol"])


@pytest.fixture
def address() -> Iterator[str]:
    """A reference processor that somebody runs elsewhere."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "PLUGIN_PORT": str(port)}
    command = [sys.executable, str(REFERENCE / "plugin.py"), "processor"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), "the plugin listens")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_plugin_elsewhere_is_inspected_and_tried(address: str) -> None:
    """An address takes the place of a folder, and what runs there goes on running."""
    shown = flowctl("plugin", "inspect", address)
    assert "cdp-reference-processor@1.0.0 (processor, grpc)" == shown.out.splitlines()[0]
    tried = flowctl("plugin", "conformance", address, "--case", "reference.errors", "-o", "json")
    assert 0 == tried.code, tried.err
    assert {"passed"} == {each["outcome"] for each in cases(tried.out).values()}
    assert 0 == flowctl("plugin", "inspect", f"dns:///{address}").code


def test_conformance_prints_a_line_a_case() -> None:
    """Each case with its end and its time, then the sum."""
    tried = flowctl("plugin", "conformance", REFERENCE, "--case", "metadata", "--case", "batches")
    assert (0, "") == (tried.code, tried.err)
    lines = tried.out.splitlines()
    assert any(line.split()[:2] == ["ok", "batches.one_row"] for line in lines)
    assert any(line.split()[:2] == ["skipped", "metadata.output_schemas"] for line in lines)
    verdict = (
        r"cdp-reference-processor@1\.0\.0, conformance 1\.1: \d+ passed, 0 failed, 1 skipped, .*"
    )
    assert re.fullmatch(verdict, lines[-1])


def test_a_broken_rule_is_exit_code_1(tmp_path: Path) -> None:
    """A plugin that dies of a payload fails that case, with rule and cause; others go on."""
    plugin_folder(tmp_path, "dies", DIES)
    named = ("--case", "payloads.garbage", "--case", "payloads.awkward", "--case", "life.health")
    tried = flowctl("plugin", "conformance", tmp_path, *named)
    assert 1 == tried.code, tried.err
    lines = [line.split() for line in tried.out.splitlines()]
    assert [["ok", "life.health"], ["FAILED", "payloads.garbage"], ["ok", "payloads.awkward"]] == [
        line[:2] for line in lines if line[:1] in (["ok"], ["FAILED"])
    ]
    assert "rule: A payload that is no JSON fails or passes its own row" in tried.out
    assert "status 3" in tried.out


def test_samples_come_with_the_plugin_or_from_a_file(tmp_path: Path) -> None:
    """`conformance.yaml` of the folder is used, unless `--config` names another file."""
    plugin_folder(tmp_path, "payments", PAYMENTS)
    named = ("--case", "batches", "-o", "json")
    without = cases(flowctl("plugin", "conformance", tmp_path, *named).out)
    assert any("made-up messages fail" in n for n in without["batches.sampled"]["notes"])
    (tmp_path / "samples.yaml").write_text(SAMPLE)
    given = flowctl(
        "plugin", "conformance", tmp_path, "--config", tmp_path / "samples.yaml", *named
    )
    assert [] == cases(given.out)["batches.sampled"]["notes"]
    (tmp_path / "conformance.yaml").write_text(SAMPLE)
    beside = cases(flowctl("plugin", "conformance", tmp_path, *named).out)
    assert ([], "passed") == (
        beside["batches.sampled"]["notes"],
        beside["batches.passing"]["outcome"],
    )


def test_a_fault_in_the_samples_has_its_place(tmp_path: Path) -> None:
    """An unknown key in the samples is an error with file and line, before anything is launched."""
    (tmp_path / "samples.yaml").write_text("messages:\n  - {type: A, paylod: 1}\n")
    sample = tmp_path / "samples.yaml"
    refused = flowctl("plugin", "conformance", REFERENCE, "--config", sample)
    assert 2 == refused.code
    assert f"{sample}:2" in refused.fault.where


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (("inspect", "nowhere"), 3, "plugin.not_found"),
        (("inspect", "127.0.0.1:99999"), 3, "plugin.address_invalid"),
        (("conformance", str(REFERENCE), "--case", "somersault"), 2, "usage.unknown_case"),
    ],
)
def test_what_cannot_be_done_is_told(arguments: tuple[str, ...], code: int, fault: str) -> None:
    """A wrong name is an error with a code and a hint, not a trace."""
    refused = flowctl("plugin", *arguments)
    assert (code, fault) == (refused.code, refused.fault.code)
    assert refused.fault.hint


def test_build_runs_the_command_of_the_manifest(tmp_path: Path) -> None:
    """`build` runs, its output is shown, and a plugin that needs none says so."""
    plugin_folder(tmp_path, "payments", PAYMENTS)
    assert "nothing to build" in flowctl("plugin", "build", tmp_path).out
    manifest = tmp_path / "plugin.yaml"
    command = "build: [sh, -c, 'echo compiling; cp plugin.py built.py']\n"
    manifest.write_text(manifest.read_text() + command)
    built = flowctl("plugin", "build", tmp_path)
    assert 0 == built.code, built.err
    assert "built payments@1.0.0" in built.out
    assert "compiling" in built.err
    assert (tmp_path / "built.py").is_file()


def test_an_unbuilt_plugin_is_built_first_and_that_is_said(tmp_path: Path) -> None:
    """`conformance` builds what is not built, once."""
    plugin_folder(tmp_path, "payments", PAYMENTS)
    (tmp_path / "plugin.py").rename(tmp_path / "source.txt")
    manifest = tmp_path / "plugin.yaml"
    manifest.write_text(manifest.read_text() + "build: [cp, source.txt, plugin.py]\n")
    named = ("plugin", "conformance", tmp_path, "--case", "metadata.identity")
    first, second = flowctl(*named), flowctl(*named)
    assert (0, 0) == (first.code, second.code), first.err
    assert "building payments@1.0.0 ..." in first.err
    assert "" == second.err


def test_a_build_that_fails_is_told(tmp_path: Path) -> None:
    """The command's last lines are in the error."""
    plugin_folder(tmp_path, "payments", PAYMENTS)
    manifest = tmp_path / "plugin.yaml"
    manifest.write_text(manifest.read_text() + "build: [sh, -c, 'echo no compiler; exit 2']\n")
    failed = flowctl("plugin", "build", tmp_path)
    assert (3, "plugin.build_failed") == (failed.code, failed.faults[0].code)
    assert "no compiler" in failed.err
