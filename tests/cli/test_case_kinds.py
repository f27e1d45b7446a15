"""`flowctl test` for sources and consumers, and where what a file requires is missing."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests._flowctl import flowctl

SOURCE = """
from cdpplugin import Message, PluginError, source

@source("case-numbers", "1.0.0", config_schema={
    "type": "object", "properties": {"last": {"type": "integer"}, "broken": {"type": "boolean"}}})
def numbers():
    for n in range(1, numbers.config.get("last", 10**9) + 1):
        yield Message(id=str(n), type="Number", payload={"n": n})
    if numbers.config.get("broken"):
        raise PluginError("the wire is cut", code="wire.cut")
"""
DOUBLE = """
from cdpplugin import processor

@processor("case-double", "1.0.0")
def double(message):
    message.payload = {"n": message.payload["n"] * double.config.get("times", 2)}
    return message
"""
CONSUMER = '''
import os
from cdpplugin import Base, PluginError, PluginMetadata, views

class Book(Base):
    """Writes at a flush only, never the same position twice."""

    def metadata(self):
        return PluginMetadata("case-book", "1.0.0", "consumer", input_types=["Number"])

    async def configure(self, config):
        self.path, self.rows = config["path"], []

    async def durable_position(self):
        return len(open(self.path).readlines()) - 1 if os.path.exists(self.path) else None

    async def consume(self, delivery):
        at = await self.durable_position()
        self.rows += [m for m, p in zip(views(delivery.batch), delivery.positions)
                      if at is None or p > at]

    async def flush(self):
        for row in self.rows:
            if "n" not in row.payload:
                raise PluginError("no number", code="number.missing")
        with open(self.path, "a") as file:
            file.writelines(f"{row.payload['n']}\\n" for row in self.rows)
        self.rows = []
        return await self.durable_position()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"numbers": SOURCE, "double": DOUBLE, "book": CONSUMER}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def plugin(folder: Path, name: str, kind: str, self_test: str) -> Path:
    home = folder / f"case-{name}"
    home.mkdir()
    (folder / f"{name}.py").rename(home / f"{name}.py")
    (home / "plugin.yaml").write_text(
        f"name: case-{name}\nversion: 1.0.0\ntype: {kind}\nruntime: native\n"
        f"executable: {name}.py\nconfig_schema: {{properties: {{last: {{type: integer}}}}}}\n"
    )
    (home / "self-test.yaml").write_text(self_test)
    return home


class TestSources:
    def test_alone_and_with_a_stage(self, folder: Path) -> None:
        """What a source reads is what goes in; `take` ends one that has no end."""
        file = folder / "test-source.yaml"
        head = (
            "plugins:\n- {name: case-numbers, path: ./numbers.py}\n"
            "- {name: case-double, path: ./double.py}\n"
            "source: {plugin: case-numbers, config: {last: '${LAST:-1000000000}'}}\n"
        )
        cases = (
            "test_cases:\n- name: the first two\n  take: 2\n"
            "  expect: [{type: Number, payload: {n: %d}}, {payload: {n: %d}}]\n"
        )
        file.write_text(head + cases % (1, 2))
        done = flowctl("test", file)
        assert (0, "1 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.err
        given = (
            "- name: given\n  input: {type: Number, payload: {n: 7}}\n"
            "  expect: {payload: {n: 14}}\n"
        )
        file.write_text(head + "pipeline: [{plugin: case-double}]\n" + cases % (2, 4) + given)
        done = flowctl("test", file)
        assert (0, "2 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.out
        file.write_text(head + "test_cases:\n- {name: all, expect: {payload: {n: 1}}}\n")
        done = flowctl("test", file, env={"LAST": "1"})
        assert 0 == done.code, done.out

    def test_without_end(self, folder: Path) -> None:
        """A case that does not end in time fails, and says how a source is cut short."""
        (folder / "test-source.yaml").write_text(
            "plugins: [{name: case-numbers, path: ./numbers.py}]\n"
            "source: {plugin: case-numbers}\n"
            "test_cases: [{name: all, timeout: 50ms, expect: drop}]\n"
        )
        done = flowctl("test", folder)
        assert 1 == done.code
        assert "expected an end within 0.05 s; `take` says" in done.out

    def test_a_plugin_that_hangs(self, folder: Path) -> None:
        """A case that hangs fails alone: the next ones have a plugin anew, and the command ends."""
        (folder / "hangs.py").write_text(
            "import threading\n"
            "from cdpplugin import processor\n\n"
            '@processor("case-hangs", "1.0.0")\n'
            "def hangs(message):\n"
            "    return message if message.payload else threading.Event().wait()\n"
        )
        (folder / "test-hangs.yaml").write_text(
            "plugins: [{name: case-hangs, path: ./hangs.py}]\n"
            "pipeline: [{plugin: case-hangs}]\n"
            "test_cases:\n"
            "- {name: hangs, timeout: 50ms, input: {type: T, payload: 0}, expect: drop}\n"
            "- {name: comes, input: {type: T, payload: 1}, expect: {payload: 1}}\n"
        )
        done = flowctl("test", folder / "test-hangs.yaml")
        assert (1, "1 passed, 1 failed") == (done.code, done.out.splitlines()[-1]), done.out

    def test_its_self_test(self, folder: Path) -> None:
        """`config` of a self-test is the source's; its error is an expected one like any other."""
        home = plugin(
            folder,
            "numbers",
            "source",
            "config: {last: 2, broken: true}\ntest_cases:\n- name: two, then the end\n"
            "  expect: [{payload: {n: 1}}, {payload: {n: 2}}, {error: wire.cut}]\n",
        )
        done = flowctl("test", home)
        assert (0, "1 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.out
        file = home / "self-test.yaml"
        file.write_text(file.read_text().replace("last: 2", "last: two"))
        done = flowctl("test", home)
        assert 2 == done.code
        assert f"{file}:1:16" == done.fault.where

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("pipeline: [filter]\ntest_cases: [{name: a, expect: drop}]", "expected `input`"),
            (
                "source: {type: stdin}\ntest_cases: [{name: a, input: {type: T}, expect: drop}]",
                "`input` is for a stage",
            ),
            ("test_cases: [{name: a, input: {type: T}, expect: drop}]", "expected `pipeline`"),
        ],
    )
    def test_neither_source_nor_input(self, tmp_path: Path, text: str, said: str) -> None:
        """What a case lacks, or has too much, is said with its place."""
        (tmp_path / "test-it.yaml").write_text(text)
        done = flowctl("test", tmp_path)
        assert 2 == done.code
        assert said in done.fault.message
        assert "test-it.yaml" in done.fault.where


class TestConsumers:
    def test_alone(self, folder: Path) -> None:
        """A consumer accepts once it is durable, each time anew; what it refuses has a code."""
        home = plugin(
            folder,
            "book",
            "consumer",
            "config: {path: '${BOOK}'}\ntest_cases:\n"
            "- name: accepted\n  input: [{type: Number, payload: {n: 1}}, "
            "{type: Number, payload: {n: 2}}]\n  expect: accepted\n"
            "- name: refused\n  input: {type: Number, payload: {}}\n"
            "  expect: {error: number.missing}\n"
            "- name: after that\n  input: {type: Number, payload: {n: 3}}\n  expect: accepted\n",
        )
        book = folder / "book.txt"
        for _ in range(2):
            done = flowctl("test", home, env={"BOOK": str(book)})
            assert (0, "3 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.out
        assert ["1", "2", "3"] * 2 == book.read_text().split()

    def test_not_accepted(self, folder: Path) -> None:
        """A message that fails, or that the consumer does not take, is not accepted."""
        (folder / "test-book.yaml").write_text(
            f"plugins: [{{name: case-book, path: ./book.py, config: {{path: {folder}/b}}}}]\n"
            "pipeline: [{plugin: case-book}]\ntest_cases:\n"
            "- {name: fails, input: {type: Number, payload: {}}, expect: accepted}\n"
            "- {name: passes by, input: {type: Text}, expect: accepted}\n"
        )
        done = flowctl("test", folder)
        assert 1 == done.code
        assert "expected no error, got number.missing: no number" in done.out
        assert "expected every message to be accepted, 1 left out" in done.out


class TestRequiredVariables:
    @pytest.fixture
    def file(self, folder: Path) -> Path:
        file = folder / "test-double.yaml"
        file.write_text(
            "requires_env: [CASES_TIMES]\n"
            "plugins:\n- name: case-double\n  path: ./double.py\n"
            "  config:\n    times: ${CASES_TIMES}\n"
            "pipeline: [{plugin: case-double}]\ntest_cases:\n"
            "- {name: doubles, input: {type: T, payload: {n: 1}}, expect: {payload: {n: 2}}}\n"
        )
        return file

    def test_skipped(self, file: Path) -> None:
        """Where a variable is missing or empty the cases are skipped, in every form of output."""
        report = file.with_name("junit.xml")
        done = flowctl("test", file, "--junit", report, env={"CASES_TIMES": ""})
        assert (0, "0 passed, 0 failed, 1 skipped") == (done.code, done.out.splitlines()[-1])
        assert "  skipped doubles\n          `CASES_TIMES` is not set" in done.out
        assert "nothing was tried: every case was skipped" in done.err
        suite = Xml.parse(report).getroot().find("testsuite")
        assert suite is not None
        assert ("1", "0", "1") == tuple(suite.get(k) for k in ("tests", "failures", "skipped"))
        skipped = suite.find("testcase/skipped")
        assert skipped is not None
        assert "`CASES_TIMES` is not set" == skipped.get("message")
        [told] = json.loads(flowctl("test", file, "--output", "json").out)
        assert (False, "`CASES_TIMES` is not set") == (told["passed"], told["skipped"])

    def test_no_skip(self, file: Path) -> None:
        """With `--no-skip` a skipped case has failed."""
        done = flowctl("test", file, "--no-skip")
        assert (1, "0 passed, 1 failed") == (done.code, done.out.splitlines()[-1])
        assert "was skipped: `CASES_TIMES` is not set" in done.out

    def test_set(self, file: Path) -> None:
        """Where it is set they run; others are skipped beside them, and the exit code is 0."""
        done = flowctl("test", file, env={"CASES_TIMES": "2"})
        assert (0, "1 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.err
        other = file.with_name("test-other.yaml")
        other.write_text(file.read_text().replace("CASES_TIMES", "CASES_OTHER"))
        done = flowctl("test", file.parent, env={"CASES_TIMES": "2"})
        assert (0, "1 passed, 0 failed, 1 skipped") == (done.code, done.out.splitlines()[-1])
        assert "" == done.err

    def test_of_a_plugin(self, folder: Path) -> None:
        """A plugin's own cases are skipped likewise."""
        home = plugin(
            folder,
            "double",
            "processor",
            "requires_env: [CASES_A, CASES_B]\nconfig: {times: 3}\ntest_cases:\n"
            "- {name: triples, input: {type: T, payload: {n: 1}}, expect: {payload: {n: 3}}}\n",
        )
        done = flowctl("test", home)
        assert (0, "0 passed, 0 failed, 1 skipped") == (done.code, done.out.splitlines()[-1])
        assert "`CASES_A`, `CASES_B` are not set" in done.out
        done = flowctl("test", home, env={"CASES_A": "1", "CASES_B": "1"})
        assert (0, "1 passed, 0 failed") == (done.code, done.out.splitlines()[-1]), done.err


def test_only_what_there_is_not(folder: Path) -> None:
    """A name that no case has is an error: nothing would be tried."""
    (folder / "test-it.yaml").write_text(
        "pipeline: [{type: filter, config: {where: 'false'}}]\n"
        "test_cases: [{name: a, input: {type: T}, expect: drop}]"
    )
    done = flowctl("test", folder, "--only", "zzz")
    assert (2, "test.none_found") == (done.code, done.fault.code)


def test_a_file_with_faults_does_not_keep_the_others_from_being_tried(tmp_path: Path) -> None:
    """Its error is shown and counted, also in JUnit; the code is that of the error."""
    (tmp_path / "stage.py").write_text(
        "from cdpplugin import processor\n\n\n"
        '@processor("others-pass", "1.0.0")\ndef stage(message):\n    return message\n'
    )
    good = (
        "plugins: [{name: others-pass, path: ./stage.py}]\npipeline: [{plugin: others-pass}]\n"
        "test_cases: [{name: passes, input: {type: T}, expect: accepted}]\n"
    )
    (tmp_path / "a-test.yaml").write_text("pipeline: [{plugn: x}]\n")
    (tmp_path / "b-test.yaml").write_text(good)
    done = flowctl("test", ".", "--junit", "out.xml", cwd=tmp_path)

    assert 2 == done.code
    assert "config.unknown_key" in [fault.code for fault in done.faults]
    assert "ok      passes" in done.out
    assert "1 passed, 1 failed" == done.out.splitlines()[-1]
    assert "the file as a whole" in (tmp_path / "out.xml").read_text()
