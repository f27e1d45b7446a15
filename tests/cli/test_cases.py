"""`flowctl test`: cases through real plugins, and what is said of those that fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from cdp_pipeline.artifacts.cases import Case, CaseAnswer
from cdp_pipeline.testing.case_runs import CaseResult
from cdp_pipeline.testing.junit import write_junit
from cdpplugin import Message, PluginError
from tests._flowctl import flowctl, running, start, wait_until
from tests._rust import compiler

PLUGIN = '''
from cdpplugin import Drop, PluginError, processor

@processor("stage", "1.0.0", input_types=["Transaction"])
def stage(message):
    """Answer as the payload asks."""
    wish = message.payload
    if wish.get("drop"):
        raise Drop("asked for")
    if wish.get("fail"):
        raise PluginError("asked for", code="asked.for")
    message.type = "ProcessedTransaction"
    message.metadata["processed"] = True
    return [message] * wish.get("times", 1)
'''
HEAD = """\
plugins:
  - name: test-processor
    path: ./stage.py
pipeline:
  - plugin: test-processor
test_cases:
"""
BRIEF = """\
  - name: "Process valid transaction"
    input:
      type: "Transaction"
      payload:
        amount: 1000
        asset: "USDC"
    expect:
      type: "ProcessedTransaction"
      metadata:
        processed: true
"""
MORE = """\
  - name: dropped
    input: {type: Transaction, payload: {drop: true}}
    expect: drop
  - name: refused
    input: {type: Transaction, payload: {fail: true}}
    expect: {error: asked.for}
  - name: twice
    input: {type: Transaction, payload: {times: 2}}
    expect: [{payload: {times: 2}}, {type: ProcessedTransaction}]
  - name: several, one of which fails and one passes by
    input:
      - {type: Transaction, payload: {n: 1}}
      - {type: Transaction, payload: {fail: true}}
      - {type: Other, payload: {n: 3}}
    expect: [{payload: {n: 1}}, {error: asked.for}, {type: Other, payload: {n: 3}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stage.py").write_text(PLUGIN)
    (tmp_path / "test-pipeline.yaml").write_text(HEAD + BRIEF + MORE)
    return tmp_path


class TestCommand:
    def test_all_pass(self, folder: Path) -> None:
        """Outputs, drops, errors and several messages are as expected; the exit code is 0."""
        done = flowctl("test", folder)
        assert (0, "5 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.out

    def test_one_fails(self, folder: Path) -> None:
        """What differs is said under the case, in JUnit XML and in JSON; the exit code is 1."""
        file = folder / "test-pipeline.yaml"
        file.write_text(file.read_text().replace("processed: true", "processed: false"))
        report = folder / "out/junit.xml"
        done = flowctl("test", file, "--junit", report)
        assert 1 == done.code
        assert "FAILED  Process valid transaction" in done.out
        assert "expected `metadata.processed` to be false, got true" in done.out
        suite = Xml.parse(report).getroot().find("testsuite")
        assert suite is not None
        assert ("5", "1") == (suite.get("tests"), suite.get("failures"))
        told = json.loads(flowctl("test", file, "--only", "valid", "--output", "json").out)
        assert [("Process valid transaction", False)] == [(t["name"], t["passed"]) for t in told]

    def test_junit_of_any_name(self, tmp_path: Path) -> None:
        """The report is XML whatever the names of cases and files hold, and what differs."""
        report = tmp_path / "junit.xml"
        names = {"file": "test-\udcff.yaml", "name": "\x07\ufffe é", "mismatches": ["\x1b\ud800"]}
        write_junit(report, [CaseResult(**names)])
        [case] = Xml.parse(report).getroot().iter("testcase")
        assert ("test-\ufffd.yaml", "\ufffd\ufffd é") == (case.get("classname"), case.get("name"))
        assert "\ufffd\ufffd" == case.findtext("failure")

    def test_nothing_to_run(self, folder: Path) -> None:
        """A folder without cases, a file without any, and a fault in one are errors with a hint."""
        (folder / "empty").mkdir()
        done = flowctl("test", folder / "empty")
        assert (2, "test.none_found") == (done.code, done.fault.code)
        file = folder / "test-pipeline.yaml"
        file.write_text(HEAD.replace("test_cases:\n", ""))
        done = flowctl("test", file)
        assert (2, "config.missing_key") == (done.code, done.fault.code)
        file.write_text(HEAD + BRIEF.replace("expect:", "expects:"))
        done = flowctl("test", file)
        assert 2 == done.code
        assert "expects" in done.err

    def test_of_a_plugin(self, folder: Path) -> None:
        """`self-test.yaml` beside a manifest holds cases for that plugin alone."""
        plugin = folder / "plugin"
        plugin.mkdir()
        (plugin / "stage.py").write_text(PLUGIN)
        (plugin / "plugin.yaml").write_text(
            "name: stage\nversion: 1.0.0\nruntime: native\nexecutable: stage.py\n"
        )
        (plugin / "self-test.yaml").write_text("test_cases:\n" + BRIEF)
        done = flowctl("test", plugin)
        assert (0, "1 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.err


def test_watch(folder: Path) -> None:
    """With `--watch` the cases run again after each change beside them, faults included."""
    file = folder / "test-pipeline.yaml"
    text = file.read_text()
    seen = folder.parent / f"{folder.name}-watched.txt"
    with (
        seen.open("wb") as out,
        running("test", file, "--watch", stdout=out, stderr=subprocess.STDOUT),
    ):
        said = seen.read_text
        wait_until(lambda: "5 passed, 0 failed" in said(), "the first run")

        def change(content: str, answer: str) -> None:
            """Write until it is seen: whoever watches may begin to only after the first run."""
            before = len(said())

            def is_told() -> bool:
                if file.read_text() != content or len(said()) == before:
                    file.write_text(content)
                return answer in said()[before:]

            wait_until(is_told, answer)

        change(text.replace("processed: true", "processed: 1"), "4 passed, 1 failed")
        change(text.replace("expect: drop", "expects: drop"), "expects")


def differences(expect: Any, payload: Any, **keys: Any) -> list[str]:
    told = {"name": "c", "input": {"type": "T"}, "expect": {"payload": expect}, **keys}
    answer = CaseAnswer([Message("", "T", payload, {"seen": 1})])
    return list(Case.model_validate(told).mismatches(answer))


class TestMatching:
    def test_numbers(self) -> None:
        """Numbers are equal exactly, or within the tolerance; never a number and a text."""
        assert [] == differences({"a": 1.0}, {"a": 1.0})
        assert ["expected `payload.a` to be 1.0, got 1.001"] == differences(
            {"a": 1.0}, {"a": 1.001}
        )
        assert [] == differences({"a": 1.0}, {"a": 1.001}, tolerance=0.01)
        assert 1 == len(differences({"a": 1}, {"a": "1"}, tolerance=1))

    def test_ignored(self) -> None:
        """What is to be ignored may be anything, or nothing."""
        assert [] == differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {}}, ignore=["payload.b.c"])
        assert [] == differences({"a": [1, 2]}, {"a": [1, 3]}, ignore=["payload.a[1]"])

    def test_exact(self) -> None:
        """Without `exact` an output may hold more; with it, nothing more."""
        assert [] == differences({"a": 1}, {"a": 1, "b": 2})
        exact = differences({"a": 1}, {"a": 1, "b": 2}, exact=True, ignore=["metadata"])
        assert ["expected no `payload.b`, got 2"] == exact

    def test_errors(self) -> None:
        """An error that nobody expects, and one that does not come, are told."""
        case = Case.model_validate({"name": "c", "input": {"type": "T"}, "expect": "drop"})
        answer = CaseAnswer([], [PluginError("no", code="it.failed")])
        assert ["expected no error, got it.failed: no"] == list(case.mismatches(answer))
        case = Case.model_validate({"name": "c", "input": {"type": "T"}, "expect": {"error": "e"}})
        assert ["expected e, got no error"] == list(case.mismatches(CaseAnswer()))


def test_the_examples() -> None:
    """The cases of the example plugins pass, built first where they are not."""
    if shutil.which("go") is None:
        pytest.skip("no Go toolchain")
    compiler()
    plugins = Path(__file__).parents[2] / "examples/plugins"
    process = start("test", plugins / "enrich-go", plugins / "fast-filter")
    out, err = process.communicate(timeout=300)  # both are compiled first
    assert (0, b"2 passed, 0 failed") == (process.returncode, out.splitlines()[-1]), err
