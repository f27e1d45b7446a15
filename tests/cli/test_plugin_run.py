"""`flowctl plugin run`: lines of JSON and ledgers through a plugin, and what is said of them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests._flowctl import BUILD_BOUND_S, COMMAND, Finished, finish, flowctl, running
from tests._rust import compiler
from tests._workshop import FIRST, Lake
from tests.conftest import ROOT

LARGE = """
from cdpplugin import Drop, Fatal, PluginError, processor

@processor("large", "1.2.3", input_types=["Payment"])
def large(message):
    print("printed by the plugin")
    payload = message.payload
    if payload.get("bad"):
        raise PluginError("is bad", code="large.bad", hint="send a good one")
    if payload.get("end"):
        raise Fatal("cannot go on")
    if payload.get("quiet"):
        return None
    if payload["amount"] < 5:
        raise Drop("too small")
    return message
"""
TICKS = """
import asyncio
from cdpplugin import Message, source

@source("ticks", "1.0.0", output_types=["Tick"])
async def ticks():
    for number in range({last}):
        yield Message(type="Tick", payload={{"n": number}})
        await asyncio.sleep(0.001)
"""
KEEPER = """
from cdpplugin import consumer

@consumer("keeper", "1.0.0")
def keeper(message):
    if message.payload["n"] == 2:
        raise ValueError("no twos")
"""
LEDGERS = """
from cdpplugin import Message, processor

@processor("ledgers", "1.0.0", input_types=[{types}])
def ledgers(message):
    return Message(type=message.type, payload={{"sequence": message.payload.get("sequence")}})
"""


LEAKY = """
from cdpplugin import Base, PluginError, PluginMetadata

class Leaky(Base):
    def metadata(self):
        return PluginMetadata("leaky", "1.0.0", "processor", input_types=["N"])

    async def configure(self, config):
        self.token = config["token"]

    def process_batch(self, batch):
        raise PluginError(f"refused: {self.token}", code="leaky.said")
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def outputs(done: Finished) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def summary(done: Finished) -> str:
    return [line for line in done.err.splitlines() if not line.startswith((" ", "error["))][-1]


class TestMessages:
    def test_payloads_and_messages(self, tmp_path: Path) -> None:
        """A line is a message where it has a message's members, else a payload of the one type."""
        plugin = written(tmp_path, "large", LARGE)
        whole = {"id": "a", "type": "Payment", "payload": {"amount": 9}, "metadata": {"k": 1}}
        odd = {"type": "x", "payload": 1, "amount": 7}
        done = flowctl("plugin", "run", plugin, stdin=lines(whole, {"amount": 6}, odd))
        second = {"id": "stdin:2", "type": "Payment", "payload": {"amount": 6}, "metadata": {}}
        third = {"id": "stdin:3", "type": "Payment", "payload": odd, "metadata": {}}
        assert ([whole, second, third], 0) == (outputs(done), done.code), done.err
        assert "large@1.2.3: 3 read, 3 outputs, 0 dropped, 0 failed" == summary(done)

    def test_digits_are_kept(self, tmp_path: Path) -> None:
        """No digit of a whole number is lost on the way through."""
        plugin = written(tmp_path, "large", LARGE)
        text = b'{"amount":123456789012345678901234567890}'
        done = flowctl("plugin", "run", plugin, stdin=text)
        assert f'"payload":{text.decode()}' in done.out

    def test_drops_and_errors(self, tmp_path: Path) -> None:
        """Each drop and error is on stderr with its message; the exit code tells of the errors."""
        plugin = written(tmp_path, "large", LARGE)
        given = lines(
            {"amount": 1}, {"quiet": True}, {"bad": True}, {"type": "Other", "payload": 1}
        )
        done = flowctl("plugin", "run", plugin, stdin=given)
        assert (1, ["stdin:4"]) == (done.code, [each["id"] for each in outputs(done)])
        fault = done.fault
        assert ("large.bad", "message `stdin:3`: is bad") == (fault.code, fault.message)
        assert ("large@1.2.3", "send a good one") == (fault.where, fault.hint)
        assert "dropped: message `stdin:1`: too small\ndropped: message `stdin:2`\n" in done.err
        assert (
            "large@1.2.3: 4 read, 0 outputs, 2 dropped (too small: 1), 1 failed, "
            "1 passed by (Other: 1)"
        ) == summary(done)

    def test_a_fatal_error_ends_it(self, tmp_path: Path) -> None:
        """After a fatal error nothing more is asked, as in a pipeline."""
        plugin = written(tmp_path, "large", LARGE)
        given = lines({"amount": 7}, {"end": True}, {"amount": 8})
        done = flowctl("plugin", "run", plugin, stdin=given)
        assert (1, 1) == (done.code, len(outputs(done)))
        assert "plugin.fatal" == done.fault.code

    def test_a_bad_line(self, tmp_path: Path) -> None:
        """A line that is no JSON is named by file and number; those before it were handled."""
        plugin, file = written(tmp_path, "large", LARGE), tmp_path / "in.jsonl"
        file.write_bytes(b'{"amount": 7}\n\n{"amount": \n{"amount": 8}\n')
        done = flowctl("plugin", "run", plugin, "--input", "in.jsonl", cwd=tmp_path)
        assert (2, 1) == (done.code, len(outputs(done)))
        assert ("jsonl.line_invalid", "in.jsonl:3") == (done.fault.code, done.fault.where)

    def test_a_closed_standard_input(self, tmp_path: Path) -> None:
        """Without a standard input it is said that there are no messages, and how to give some."""
        plugin = written(tmp_path, "large", LARGE)
        closed = ["sh", "-c", 'exec "$0" plugin run "$1" <&-', COMMAND, plugin]
        done = subprocess.run(closed, capture_output=True, text=True, check=False)
        assert 2 == done.returncode, done.stderr
        assert "error[usage.input_missing]" in done.stderr

    def test_a_line_nested_too_deeply(self, tmp_path: Path) -> None:
        """A line that is nested deeper than can be read is named like one that is no JSON."""
        plugin = written(tmp_path, "large", LARGE)
        done = flowctl("plugin", "run", plugin, stdin=b"[" * 5000 + b"]" * 5000)
        assert (2, "jsonl.line_invalid") == (done.code, done.fault.code)
        assert "nested too deeply" in done.err

    def test_a_payload_without_a_type(self, tmp_path: Path) -> None:
        """Where nobody tells the type of a payload, the error says how; `--type` tells it."""
        done = flowctl("plugin", "run", "filter", "--config", "where: 'true'", stdin=b"5\n")
        assert (2, "usage.type_missing", "stdin:1") == (
            done.code,
            done.fault.code,
            done.fault.where,
        )
        assert "--type TYPE" in done.fault.hint
        told = flowctl(
            "plugin", "run", "filter", "--config", "where: 'true'", "--type", "Five", stdin=b"5\n"
        )
        assert [("Five", 5)] == [(each["type"], each["payload"]) for each in outputs(told)]

    def test_two_in_a_pipe(self, tmp_path: Path) -> None:
        """What one prints, ids included, the next one reads."""
        plugin = written(tmp_path, "large", LARGE)
        first = flowctl("plugin", "run", plugin, stdin=lines({"amount": 6}, {"amount": 8}))
        where = "{where: payload.amount > 7}"
        second = flowctl("plugin", "run", "filter", "--config", where, stdin=first.out.encode())
        assert first.out.splitlines()[1:] == second.out.splitlines()

    def test_outputs_come_as_inputs_do(self, tmp_path: Path) -> None:
        """The first output is there before the second input is."""
        plugin = written(tmp_path, "large", LARGE)
        with running("plugin", "run", plugin, stdin=-1) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for amount in (6, 7):
                process.stdin.write(lines({"amount": amount}))
                process.stdin.flush()
                assert {"amount": amount} == json.loads(process.stdout.readline())["payload"]
            process.stdin.close()
            assert 0 == process.wait(60)

    def test_what_a_pipeline_saved(self, tmp_path: Path) -> None:
        """Files of `save-to-jsonl`, messages or payloads, are input as they are."""
        (tmp_path / "in.jsonl").write_bytes(lines({"amount": 6}))
        kinds = ("message", "payload")
        stages = [
            {"type": "save-to-jsonl", "name": k, "config": {"path": k, "content": k}} for k in kinds
        ]
        source = {"type": "jsonl", "config": {"path": "in.jsonl", "type": "Payment"}}
        pipeline = tmp_path / "p.yaml"
        pipeline.write_text(json.dumps({"name": "saved-run", "source": source, "pipeline": stages}))
        assert 0 == flowctl("run", pipeline, cwd=tmp_path).code
        plugin = written(tmp_path, "large", LARGE)
        for kind in kinds:
            [file] = (tmp_path / kind).rglob("*.jsonl")
            done = flowctl("plugin", "run", plugin, "--input", file)
            assert [("Payment", {"amount": 6})] == [
                (o["type"], o["payload"]) for o in outputs(done)
            ]


class TestLedgers:
    def test_rows(self, tmp_path: Path, real_lake: Lake) -> None:
        """A plugin of tables gets the rows that the stage `rows` gives, with its ids."""
        plugin = written(tmp_path, "rows", LEDGERS.format(types='"operations", "ledgers"'))
        done = flowctl("plugin", "run", plugin, "--ledger", real_lake.file(FIRST))
        kinds = [each["type"] for each in outputs(done)]
        assert 0 == done.code, done.err
        assert 1 == kinds.count("ledgers")
        assert kinds.count("operations") == len(kinds) - 1 > 100

    def test_ledgers_as_json(self, tmp_path: Path, real_lake: Lake) -> None:
        """A plugin of ledgers gets them as the documented JSON, in the order of the files."""
        plugin = written(tmp_path, "ledgers", LEDGERS.format(types='"LedgerCloseMeta"'))
        files = [real_lake.file(FIRST + number) for number in (1, 0)]
        done = flowctl(
            "plugin", "run", plugin, *(word for file in files for word in ("--ledger", file))
        )
        assert [{"sequence": FIRST + 1}, {"sequence": FIRST}] == [
            each["payload"] for each in outputs(done)
        ]

    def test_raw_xdr_of_no_lake(self, tmp_path: Path, real_lake: Lake) -> None:
        """A raw batch is read where it lies in no lake, once the network is told."""
        plugin = written(tmp_path, "ledgers", LEDGERS.format(types='"LedgerCloseMeta"'))
        raw = tmp_path / "batch.xdr"
        packed = real_lake.file(FIRST).read_bytes()
        raw.write_bytes(zstandard.ZstdDecompressor().decompress(packed))
        untold = flowctl("plugin", "run", plugin, "--ledger", raw)
        assert (2, "network.unknown") == (untold.code, untold.fault.code)
        done = flowctl("plugin", "run", plugin, "--ledger", raw, "--network", "pubnet")
        assert [{"sequence": FIRST}] == [each["payload"] for each in outputs(done)]

    def test_a_generated_lake(self, tmp_path: Path) -> None:
        """A file of several ledgers of an invented network is read with nothing told."""
        flowctl(
            *("lake", "generate", "--ledgers", "4", "--ledgers-per-file", "4", "--out", "lake"),
            cwd=tmp_path,
        )
        file = max((tmp_path / "lake").rglob("*.xdr.zst"), key=lambda path: path.stat().st_size)
        plugin = written(tmp_path, "transfers", LEDGERS.format(types='"token_transfers"'))
        done = flowctl("plugin", "run", plugin, "--ledger", file)
        assert (0, {"token_transfers"}) == (done.code, {each["type"] for each in outputs(done)})

    def test_a_plugin_of_something_else(self, tmp_path: Path) -> None:
        """One that takes no ledgers is refused them, and the hint says what to do."""
        plugin = written(tmp_path, "large", LARGE)
        done = flowctl("plugin", "run", plugin, "--ledger", plugin)
        assert (2, "usage.no_ledgers") == (done.code, done.fault.code)

    def test_no_ledgers(self, tmp_path: Path) -> None:
        """A file that holds none is an error that names it."""
        plugin = written(tmp_path, "ledgers", LEDGERS.format(types='"LedgerCloseMeta"'))
        done = flowctl("plugin", "run", plugin, "--ledger", plugin, "--network", "pubnet")
        assert (2, "ledger_stream.not_ledgers") == (done.code, done.fault.code)
        gone = flowctl("plugin", "run", plugin, "--ledger", tmp_path / "none.xdr")
        assert (2, "config.unreadable") == (gone.code, gone.fault.code)


class TestSource:
    def test_all_that_it_has(self, tmp_path: Path) -> None:
        """Its messages are printed with ids, to its end; it takes none."""
        plugin = written(tmp_path, "ticks", TICKS.format(last=3))
        done = flowctl("plugin", "run", plugin)
        found = outputs(done)
        assert (0, [0, 1, 2]) == (done.code, [each["payload"]["n"] for each in found])
        assert 3 == len({each["id"] for each in found} - {""})
        assert "ticks@1.0.0: 3 messages" == summary(done)
        refused = flowctl("plugin", "run", plugin, "--input", plugin)
        assert (2, "usage.no_input") == (refused.code, refused.fault.code)

    def test_limit(self, tmp_path: Path) -> None:
        """`--limit` ends one that has no end."""
        plugin = written(tmp_path, "ticks", TICKS.format(last=10**9))
        done = flowctl("plugin", "run", plugin, "--limit", "2")
        assert (0, 2) == (done.code, len(outputs(done)))

    def test_interrupted(self, tmp_path: Path) -> None:
        """Ctrl-C ends it cleanly, with its count."""
        plugin = written(tmp_path, "ticks", TICKS.format(last=10**9))
        with running("plugin", "run", plugin) as process:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
            done = finish(process)
        assert (0, 1) == (done.code, done.err.count(" messages"))


class TestConsumer:
    def test_what_is_acknowledged(self, tmp_path: Path) -> None:
        """It prints nothing, and how many messages it made durable is said."""
        plugin = written(tmp_path, "keeper", KEEPER)
        given = lines({"n": 1}, {"n": 2}, {"n": 3})
        done = flowctl("plugin", "run", plugin, "--type", "N", stdin=given)
        assert (1, "") == (done.code, done.out)
        assert "keeper@1.0.0: 3 read, 2 acknowledged, 0 dropped, 1 failed" == summary(done)

    def test_one_that_gathers(self, tmp_path: Path) -> None:
        """A consumer that writes in bulk is told to at the end."""
        done = flowctl(
            *("plugin", "run", "save-to-jsonl", "--config", "path: out", "--type", "N"),
            stdin=lines({"n": 1}, {"n": 2}),
            cwd=tmp_path,
        )
        assert "2 read, 2 acknowledged" in summary(done)
        [file] = (tmp_path / "out").rglob("*.jsonl")
        assert [1, 2] == [json.loads(line)["n"] for line in file.read_text().splitlines()]


class TestPlugin:
    def test_configuration(self, tmp_path: Path) -> None:
        """It is YAML, JSON or a file of either; what does not fit is named with its place."""
        file = tmp_path / "filter.yaml"
        file.write_text("where: payload > ${LEAST}\n")
        for config in ("where: payload > 4", '{"where": "payload > 4"}', f"@{file}"):
            done = flowctl(
                *("plugin", "run", "filter", "--config", config, "--type", "N"),
                stdin=b"4\n5\n",
                env={"LEAST": "4"},
            )
            assert [5] == [each["payload"] for each in outputs(done)], done.err
        file.write_text("where: 'true'\nwhen: 5\n")
        done = flowctl("plugin", "run", "filter", "--config", f"@{file}")
        assert ("config.unknown_key", f"{file}:2:1") == (done.fault.code, done.fault.where)

    def test_secrets(self, tmp_path: Path) -> None:
        """What a variable of a secret's name gave is in no error."""
        plugin = written(tmp_path, "leaky", LEAKY)
        config, env = "token: ${LEAKY_TOKEN}", {"LEAKY_TOKEN": "hush-hush-hush"}
        done = flowctl("plugin", "run", plugin, "--config", config, stdin=b"1\n", env=env)
        assert (1, "leaky.said") == (done.code, done.fault.code)
        assert "hush" not in done.out + done.err

    def test_a_name(self, tmp_path: Path) -> None:
        """A plugin in a plugin folder is found by its name; a name of nothing is an error."""
        folder = tmp_path / "plugins"
        folder.mkdir()
        written(folder, "large", LARGE)
        env = {"FLOWCTL_PLUGIN_FOLDERS": str(folder)}
        done = flowctl("plugin", "run", "large", stdin=lines({"amount": 6}), env=env)
        assert (0, 1) == (done.code, len(outputs(done))), done.err
        other = tmp_path / "notes.txt"
        other.write_text("none")
        refused = flowctl("plugin", "run", other)
        assert (3, "runtime.unavailable") == (refused.code, refused.fault.code)
        none = flowctl("plugin", "run", "larger", env=env)
        assert (3, "plugin.not_found") == (none.code, none.fault.code)

    def test_go(self, tmp_path: Path) -> None:
        """What is not built is built first, which stderr says; then it runs as a process."""
        if shutil.which("go") is None:
            pytest.skip("no go on PATH")
        plugin = go_plugin(tmp_path)
        given = lines({"id": 1, "type": 1, "type_string": "payment"})
        done = flowctl("plugin", "run", plugin, stdin=given, bound_s=BUILD_BOUND_S)
        assert 0 == done.code, done.err
        assert ["payment"] == [each["payload"]["family"] for each in outputs(done)]
        assert done.err.startswith("building enrich-go@0.1.0 ...\n")
        assert "building" not in flowctl("plugin", "run", plugin, stdin=given).err

    def test_rust(self, tmp_path: Path) -> None:
        """A plugin of WebAssembly runs in its sandbox."""
        compiler()
        plugin = rust_plugin(tmp_path)
        done = flowctl(
            *("plugin", "run", plugin, "--type", "T"), stdin=b'{"a": 1}\n', bound_s=BUILD_BOUND_S
        )
        assert (0, [{"a": 1}]) == (done.code, [each["payload"] for each in outputs(done)]), done.err
        module = flowctl(
            "plugin", "run", plugin / "filter.wasm", "--type", "T", stdin=b'{"a": 1}\n'
        )
        assert (0, done.out) == (module.code, module.out)


def go_plugin(folder: Path) -> Path:
    """Return a copy of the example in Go, not built."""
    shutil.copytree(ROOT / "sdk/go", folder / "sdk/go")
    made = folder / "examples/plugins/enrich-go"
    shutil.copytree(ROOT / "examples/plugins/enrich-go", made, ignore=shutil.ignore_patterns("bin"))
    return made


def rust_plugin(folder: Path) -> Path:
    """Return a copy of the example in Rust, not built."""
    ignored = shutil.ignore_patterns("target", "*.wasm")
    shutil.copytree(ROOT / "sdk/rust", folder / "sdk/rust", ignore=ignored)
    made = folder / "examples/plugins/fast-filter"
    shutil.copytree(ROOT / "examples/plugins/fast-filter", made, ignore=ignored)
    return made
