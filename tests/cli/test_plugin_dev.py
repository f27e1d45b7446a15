"""`flowctl plugin dev`: every save is built, reloaded and tried, and what is different is shown."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.testing.rounds import Outcome, differences
from cdp_pipeline.testing.saves import Saves
from cdpplugin import Message, PluginError
from tests._flowctl import BUILD_BOUND_S, flowctl, running, wait_until
from tests._rust import compiler
from tests.cli.test_plugin_run import go_plugin, lines, rust_plugin
from tests.conftest import ROOT

DOUBLE = """
from cdpplugin import Message, PluginError, processor

FACTOR = 2

@processor("double", "1.0.0", input_types=["Number"])
def double(message):
    n = message.payload["n"]
    if n < 0:
        raise PluginError("is negative", code="double.negative", hint="send no debts")
    return Message(type="Number", payload={"n": n * FACTOR}) if n else None
"""
CASES = """
test_cases:
  - name: two
    input: {type: Number, payload: {n: 1}}
    expect: {payload: {n: 2}}
"""
MANIFEST = """
name: double
version: 1.0.0
runtime: native
executable: double.py
input_types: [Number]
"""


@dataclass
class Dev:
    """A `flowctl plugin dev` that runs."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text()

    def shows(self, text: str, times: int = 1) -> str:
        """Wait until *text* was printed so often; return everything printed."""
        wait_until(
            lambda: self.text.count(text) >= times or self.process.poll() is not None,
            f"`{text}` {times} times",
            bound_s=BUILD_BOUND_S,
        )
        assert self.text.count(text) >= times, self.text
        return self.text

    def rounds(self) -> Sequence[str]:
        """Return what was printed for each save."""
        return self.text.split("\nsaved: ")[1:]


@contextmanager
def dev(folder: Path, *arguments: str | Path) -> Iterator[Dev]:
    log = folder / "dev.log"
    with (
        log.open("wb") as out,
        running(
            "plugin", "dev", *arguments, cwd=folder, stdout=out, stderr=subprocess.STDOUT
        ) as process,
    ):
        yield Dev(process, log)


def save(path: Path, old: str, new: str) -> None:
    """Save a file as an editor does: at once."""
    draft = path.with_name("." + path.name)
    draft.write_text(path.read_text().replace(old, new))
    assert draft.read_text() != path.read_text()
    draft.replace(path)


@pytest.fixture
def double(tmp_path: Path) -> Path:
    """A native plugin with cases in a folder of its own."""
    folder = tmp_path / "double"
    folder.mkdir()
    (folder / "double.py").write_text(DOUBLE)
    (folder / "plugin.yaml").write_text(MANIFEST)
    (folder / "self-test.yaml").write_text(CASES)
    (tmp_path / "in.jsonl").write_bytes(lines({"n": 3}, {"n": 0}, {"n": -1}))
    return folder


class TestRounds:
    def test_outputs_and_what_is_different(self, tmp_path: Path, double: Path) -> None:
        """A save reloads the plugin and sends the inputs again; the difference is shown."""
        with dev(tmp_path, "double", "--input", "in.jsonl") as running_dev:
            first = running_dev.shows("Ctrl-C ends")
            assert '  in.jsonl:1\n    -> Number {"n":6}\n  in.jsonl:2\n    dropped\n' in first
            assert "    error[double.negative]: is negative\n      hint: send no debts\n" in first
            assert "  3 in, 1 outputs, 1 dropped, 1 failed\n" in first
            save(double / "double.py", "FACTOR = 2", "FACTOR = 5")
            running_dev.shows("different from the round before:")
            running_dev.shows("~ output 1: payload.n: 6 -> 15\n")
            [found] = running_dev.rounds()
        assert re.match(r"double.py\ndouble@1.0.0: reloaded in \d+\.\d\d s\n", found)
        assert 1 == found.count("      ~ ")

    def test_a_fault_and_its_mending(self, tmp_path: Path, double: Path) -> None:
        """Code that cannot be loaded is shown, the code before goes on, and a next save counts."""
        with dev(tmp_path, "double", "--input", "in.jsonl") as running_dev:
            running_dev.shows("Ctrl-C ends")
            save(double / "double.py", "FACTOR = 2", "FACTOR = (")
            running_dev.shows("error[plugin.load_failed]")
            assert "double@1.0.0 goes on" in running_dev.text
            save(double / "double.py", "FACTOR = (", "FACTOR = 4")
            running_dev.shows("~ output 1: payload.n: 6 -> 12\n")

    def test_a_fault_from_the_start(self, tmp_path: Path, double: Path) -> None:
        """A plugin that does not load at first is tried once it does."""
        save(double / "double.py", "FACTOR = 2", "FACTOR = (")
        with dev(tmp_path, "double", "--input", "in.jsonl") as running_dev:
            running_dev.shows("nothing runs; save to try again")
            save(double / "double.py", "FACTOR = (", "FACTOR = 2")
            running_dev.shows('-> Number {"n":6}')

    def test_inputs_are_watched(self, tmp_path: Path, double: Path) -> None:
        """Another input is sent without a reload; a line that is none is shown."""
        with dev(tmp_path, "double/double.py", "--input", "in.jsonl") as running_dev:
            running_dev.shows("Ctrl-C ends")
            save(tmp_path / "in.jsonl", '"n": 3', '"n": 4')
            running_dev.shows("~ output 1: payload.n: 6 -> 8\n")
            assert "reloaded" not in running_dev.text
            save(tmp_path / "in.jsonl", '"n": 4', '"n": ')
            running_dev.shows("error[jsonl.line_invalid]")
            assert running_dev.process.poll() is None

    def test_cases_are_judged(self, tmp_path: Path, double: Path) -> None:
        """Without inputs the plugin's cases are; a save that breaks one shows so and runs."""
        with dev(tmp_path, "double") as running_dev:
            assert "  ok      two\n" in running_dev.shows("Ctrl-C ends")
            save(double / "double.py", "FACTOR = 2", "FACTOR = 5")
            running_dev.shows("~ case: ok -> FAILED\n")
            assert "expected `payload.n` to be 2, got 5\n" in running_dev.text
            save(
                double / "self-test.yaml", "expect: {payload: {n: 2}}", "expect: {payload: {n: 5}}"
            )
            running_dev.shows("~ case: FAILED -> ok\n")

    def test_samples(self, tmp_path: Path, double: Path) -> None:
        """Without cases the samples of its conformance are sent."""
        (double / "self-test.yaml").unlink()
        sample = {"messages": [{"type": "Number", "payload": {"n": 4}}]}
        (double / "conformance.yaml").write_text(json.dumps(sample))
        with dev(tmp_path, "double") as running_dev:
            assert '-> Number {"n":8}' in running_dev.shows("Ctrl-C ends")

    def test_a_state(self, tmp_path: Path) -> None:
        """A plugin that keeps a state is started anew for each round."""
        counter = tmp_path / "counter.py"
        counter.write_text(
            "from cdpplugin import Message, processor\n"
            "seen = []\n"
            '@processor("counter", "1.0.0", stateful=True)\n'
            "def counter(message):\n"
            "    seen.append(1)\n"
            '    return Message(type="Count", payload={"n": len(seen), "mark": 1})\n'
        )
        (tmp_path / "in.jsonl").write_bytes(lines({"type": "N", "payload": 1}))
        with dev(tmp_path, "counter.py", "--input", "in.jsonl") as running_dev:
            running_dev.shows("Ctrl-C ends")
            save(counter, '"mark": 1', '"mark": 2')
            running_dev.shows("~ output 1: payload.mark: 1 -> 2\n")
            [found] = running_dev.rounds()
        assert "counter@1.0.0: started in" in found
        assert "payload.n" not in found


class TestEnd:
    def test_ctrl_c(self, tmp_path: Path, double: Path) -> None:
        """Ctrl-C ends it with exit code 0."""
        with dev(tmp_path, "double") as running_dev:
            running_dev.shows("Ctrl-C ends")
            running_dev.process.send_signal(signal.SIGINT)
            assert 0 == running_dev.process.wait(60)

    def test_nothing_to_send(self, tmp_path: Path, double: Path) -> None:
        """Without any message the error says how to give some."""
        (double / "self-test.yaml").unlink()
        done = flowctl("plugin", "dev", "double", cwd=tmp_path)
        assert (2, "usage.input_missing") == (done.code, done.fault.code)
        assert "--input FILE" in done.fault.hint

    def test_no_files(self, tmp_path: Path) -> None:
        """A built-in component has nothing that could be saved."""
        done = flowctl("plugin", "dev", "filter", cwd=tmp_path)
        assert (2, "usage.no_files") == (done.code, done.fault.code)


def ended(executable: Path) -> bool:
    """Tell whether no process runs *executable*."""
    found = []
    for process in Path("/proc").glob("[0-9]*/exe"):
        try:
            found.append(process.readlink())
        except OSError:
            continue
    return not any(str(path).startswith(str(executable)) for path in found)


class TestLanguages:
    def test_go(self, tmp_path: Path) -> None:
        """A save is built and reloaded once; a build that fails leaves the code before at work."""
        if shutil.which("go") is None:
            pytest.skip("no go on PATH")
        plugin = go_plugin(tmp_path)
        code = plugin / "enrich.go"
        with dev(tmp_path, plugin) as running_dev:
            assert "ok      a payment that was applied" in running_dev.shows("Ctrl-C ends")
            save(code, '"payment": "payment"', '"payment": "paid"')
            running_dev.shows('~ output 1: payload.family: "payment" -> "paid"')
            running_dev.shows("~ case: ok -> FAILED\n")
            save(code, "package main", "package main\n\nfunc (")
            running_dev.shows("error[plugin.build_failed]")
            running_dev.shows("the version before goes on")
            save(code, "package main\n\nfunc (", "package main")
            running_dev.shows("same as the round before")
            running_dev.process.send_signal(signal.SIGINT)
            assert 0 == running_dev.process.wait(60)
            assert 3 == len(running_dev.rounds()), running_dev.text
        wait_until(lambda: ended(plugin / "bin/enrich-go"), "the plugin's end")

    def test_rust(self, tmp_path: Path) -> None:
        """A plugin of WebAssembly is built and reloaded, once for each save."""
        compiler()
        plugin = rust_plugin(tmp_path)
        (tmp_path / "in.jsonl").write_bytes(lines({"type": "T", "payload": {"amount": 1}}))
        config = "asset_filter: [native]"
        with dev(tmp_path, plugin, "--input", "in.jsonl", "--config", config) as running_dev:
            assert "    dropped: no asset\n" in running_dev.shows("Ctrl-C ends")
            save(plugin / "src/lib.rs", '"no asset"', '"asset unknown"')
            running_dev.shows("~ dropped 1: no asset -> asset unknown\n")
            assert 1 == len(running_dev.rounds()), running_dev.text

    def test_node(self, tmp_path: Path) -> None:
        """A plugin in Node, whose build is none, is reloaded as a process."""
        if shutil.which("node") is None or shutil.which("npm") is None:
            pytest.skip("no node on PATH")
        ignored = shutil.ignore_patterns("node_modules", "dist")
        for name in ("proto", "spec", "sdk/node"):
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
        for command in (["npm", "ci"], ["npm", "run", "build"]):
            subprocess.run(command, cwd=tmp_path / "sdk/node", check=True, capture_output=True)
        plugin = tmp_path / "shout"
        (plugin / "node_modules").mkdir(parents=True)
        (plugin / "node_modules/cdpplugin").symlink_to(tmp_path / "sdk/node")
        (plugin / "package.json").write_text('{"type": "module"}')
        (plugin / "plugin.yaml").write_text(
            "name: shout\nversion: 1.0.0\nexecutable: node\nargs: [index.js]\n"
        )
        (plugin / "index.js").write_text(NODE)
        (tmp_path / "in.jsonl").write_bytes(lines({"type": "Word", "payload": {"word": "hey"}}))
        with dev(tmp_path, plugin, "--input", "in.jsonl") as running_dev:
            assert '"word":"hey!"' in running_dev.shows("Ctrl-C ends")
            save(plugin / "index.js", '"!"', '"?"')
            running_dev.shows('~ output 1: payload.word: "hey!" -> "hey?"\n')


NODE = """\
import { serveProcessor } from "cdpplugin";

serveProcessor(
  { name: "shout", version: "1.0.0" },
  (message) => {
    message.payload.word += "!";
    return message;
  },
);
"""


class TestSaves:
    def manifest(self, folder: Path, build: Sequence[str] = ("make",)) -> Saves:
        (folder / "plugin.yaml").write_text(
            json.dumps(
                {"name": "p", "version": "1.0.0", "executable": "./p", "args": ["m.js"]}
                | {"build": [*build]}
            )
        )
        (folder / "m.js").write_text("1")
        return Saves([folder], load_manifest(folder))

    def test_what_a_build_makes_is_none(self, tmp_path: Path) -> None:
        """Executables, WebAssembly and folders of what is built are no saves; scripts are."""
        saves = self.manifest(tmp_path)
        for name in ("bin/x", "dist/a.js", "target/y", "node_modules/z", "out.wasm"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("1")
        (tmp_path / "p").write_bytes(b"\x7fELF\0")
        assert [] == saves.news()
        (tmp_path / "m.js").write_text("2")
        assert [str(tmp_path / "m.js")] == saves.news()

    def test_a_save_while_it_is_built(self, tmp_path: Path) -> None:
        """What was saved during the build is news after it; what the build has added is not."""
        saves = self.manifest(tmp_path)
        (tmp_path / "m.js").write_text("2")
        (tmp_path / "made.txt").write_text("1")
        saves.settle()
        assert [str(tmp_path / "m.js")] == saves.news()

    def test_no_loop(self, tmp_path: Path) -> None:
        """A file that each round changes is heeded a few times, not for ever, and that is told."""
        saves = self.manifest(tmp_path)
        stamp = tmp_path / "stamp"
        stamp.write_text("0")
        heeded, told = 0, []
        assert saves.news()
        for number in range(1, 9):
            stamp.write_text(str(number))
            saves.settle()
            heeded += bool(saves.news())
            told += [list(saves.passed_over)] if saves.passed_over else []
        assert (3, [[str(stamp)]]) == (heeded, told)
        (tmp_path / "m.js").write_text("2")
        assert saves.news()

    def test_a_save_after_a_loop(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that was passed over is heeded again when it is saved in quiet."""
        saves = self.manifest(tmp_path)
        for number in range(2, 9):
            (tmp_path / "m.js").write_text(str(number))
            saves.settle()
            saves.news()
        (tmp_path / "m.js").write_text("9")
        assert [] == saves.news()
        monkeypatch.setattr("cdp_pipeline.testing.saves._QUIET_S", 0.0)
        (tmp_path / "m.js").write_text("10")
        assert [str(tmp_path / "m.js")] == saves.news()


def test_differences() -> None:
    """What is gone, new or another is told by message and path; equal labels are told apart."""

    def outcome(label: str, payload: object = None, error: str = "") -> Outcome:
        outputs = [] if payload is None else [Message(type="T", payload=payload)]
        return Outcome(label=label, outputs=outputs, failures=[PluginError(error)] * bool(error))

    before = [outcome("a", {"x": [1, {"y": 2}], "z": {}}), outcome("b", 1), outcome("b", 2)]
    now = [outcome("a", {"x": [1, {"y": 3}]}), outcome("b", 1), outcome("b", error="bad")]
    assert {
        "a": ["~ output 1: payload.x[1].y: 2 -> 3", "- output 1: payload.z: {}"],
        "b (2)": [
            "+ error 1: plugin.failed: bad",
            "- output 1: type: T",
            "- output 1: payload: 2",
            "- output 1: metadata: {}",
        ],
    } == {each.label: each.lines for each in differences(before, now)}
    assert [] == list(differences(now, now))
