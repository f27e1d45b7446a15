"""`flowctl validate`: names what is wrong and where, and does nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests._flowctl import COMMAND, Finished, finish, flowctl
from tests._workshop import Workshop

SECRET = "s3cr3t-T0ken"

# The shape of a pipeline with plugins of two runtimes, none of which is there.
WITH_PLUGINS = f"""\
name: payments-with-plugins

plugins:
  - name: fraud-detector
    type: grpc
    path: ./plugins/fraud-detector
    config:
      threshold: 0.8
      api_token: {SECRET}

  - name: fast-filter
    type: wasm
    path: ./plugins/fast-filter/filter.wasm
    config:
      rules:
        - field: amount
          op: ">"
          value: 1000000

source:
  type: captive-core
  config:
    network: mainnet

pipeline:
  - type: latest-ledger
  - plugin: fast-filter
  - plugin: fraud-detector
  - type: save-to-parquet
    config:
      path: processed
"""


def snapshot(folder: Path) -> dict[str, int]:
    """Return every path below *folder* with the time it was changed."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def validate(workshop: Workshop, text: str, *options: str) -> Finished:
    (workshop.folder / "p.yaml").write_text(text)
    return flowctl("validate", "p.yaml", *options, cwd=workshop.folder)


class TestFaults:
    def test_names_missing_plugins_and_the_unknown_source(self, workshop: Workshop) -> None:
        """Each missing plugin and the unknown source stand at their line and column."""
        done = validate(workshop, WITH_PLUGINS)
        found = {fault.where: fault for fault in done.faults}

        assert (2, "") == (done.code, done.out)
        assert ["p.yaml:6:11", "p.yaml:13:11", "p.yaml:21:9"] == list(found)
        assert "plugins/fraud-detector" in found["p.yaml:6:11"].message
        assert "filter.wasm" in found["p.yaml:13:11"].message
        assert "captive-core" in found["p.yaml:21:9"].message
        assert all(fault.hint for fault in done.faults)
        assert SECRET not in done.err

    def test_says_the_same_as_json(self, workshop: Workshop) -> None:
        """`-o json` answers with one object on stdout, same faults, same exit code."""
        done = validate(workshop, WITH_PLUGINS, "-o", "json")
        answer = json.loads(done.out)

        assert (2, "", False) == (done.code, done.err, answer["valid"])
        assert ["p.yaml:6:11", "p.yaml:13:11", "p.yaml:21:9"] == [
            fault["where"] for fault in answer["faults"]
        ]
        assert SECRET not in done.out

    def test_run_refuses_with_the_same_faults(self, workshop: Workshop) -> None:
        """What `validate` finds, `run` says too, before it starts anything."""
        checked = validate(workshop, WITH_PLUGINS)
        before = snapshot(workshop.folder)
        ran = flowctl("run", "p.yaml", cwd=workshop.folder)

        assert (2, checked.faults) == (ran.code, ran.faults)
        assert before == snapshot(workshop.folder)
        assert not workshop.state("payments-with-plugins").exists()

    @pytest.mark.parametrize(
        ("text", "where", "words"),
        [
            ("name: p\nsource: {type: jsonl", "p.yaml:2", ""),
            (
                "name: p\nsource: {type: jsonl, config: {path: x}}\npipeline: [stdout]\n"
                "pluginns: []\n",
                "p.yaml:4:1",
                "plugins",
            ),
            (
                "name: p\nsource:\n  type: jsonl\n  config: {path: x, folow: true}\n"
                "pipeline: [stdout]\n",
                "p.yaml:4:",
                "follow",
            ),
            (
                "name: p\nsource: {type: jsonl, config: {path: x}}\npipeline:\n  - stdot\n",
                "p.yaml:4:",
                "stdout",
            ),
            (
                "name: p\nsource: {type: jsonl, config: {path: x}}\npipeline:\n  - jsonl\n",
                "p.yaml:4:",
                "processor or consumer",
            ),
            (
                "name: p\nsource: {type: stdout}\npipeline: [stdout]\n",
                "p.yaml:2:",
                "expected a source",
            ),
            (
                "name: p\nsource: {type: galexie, config: {path: x}}\n"
                "pipeline: [ledger-to-json, rows, stdout]\n",
                "p.yaml:3:",
                "LedgerCloseMetaJson",
            ),
            (
                "name: p\nsource: {type: jsonl, config: {path: '${NO_SUCH_VARIABLE}'}}\n"
                "pipeline: [stdout]\n",
                "p.yaml:2:",
                "NO_SUCH_VARIABLE",
            ),
            ("", "p.yaml", ""),
            ("- a\n- b\n", "p.yaml", ""),
        ],
        ids=[
            "yaml",
            "unknown_key",
            "unknown_setting",
            "unknown_type",
            "source_as_stage",
            "consumer_as_source",
            "types",
            "variable",
            "empty",
            "list",
        ],
    )
    def test_tells_where_and_what(
        self, workshop: Workshop, text: str, where: str, words: str
    ) -> None:
        """Syntax, keys, types and order: the place, and the nearest valid name."""
        done = validate(workshop, text)
        [fault, *_] = done.faults

        assert (2, "") == (done.code, done.out)
        assert where in fault.where
        assert words in fault.message + fault.hint


class TestNoEffects:
    def test_leaves_no_trace(self, workshop: Workshop) -> None:
        """No file, no state folder, no code of a plugin run: paths are looked at, no more."""
        (workshop.folder / "effect.py").write_text(
            "import pathlib\n"
            "pathlib.Path(__file__).with_name('executed').touch()\n"
            "raise RuntimeError('run by validate')\n"
        )
        home = workshop.folder / "home"
        home.mkdir()
        names = ("STATE", "CACHE", "CONFIG", "DATA")
        env = {f"XDG_{name}_HOME": str(home / name.lower()) for name in names}
        file = workshop.write(
            "effects",
            plugins=[{"name": "effect", "path": "effect.py"}],
            source={"type": "galexie", "config": {"path": "lake", "network": "pubnet"}},
            dead_letter={"path": "aside/letters.jsonl"},
            pipeline=[
                {"plugin": "effect"},
                {"type": "save-to-parquet", "config": {"path": "out"}},
                {"type": "save-to-duckdb", "config": {"path": "out/rows.duckdb"}},
                {"type": "save-to-jsonl", "config": {"path": "out/lines"}},
                {"type": "save-to-postgresql", "config": {"host": "192.0.2.1", "database": "d"}},
            ],
        )
        before = snapshot(workshop.folder)
        done = flowctl("validate", file, cwd=workshop.folder, env={**env, "HOME": str(home)})

        assert (0, "") == (done.code, done.err)
        assert "unchecked until start: `effect`" in done.out
        assert "is valid" in done.out
        assert before == snapshot(workshop.folder)

    @pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
    def test_opens_no_socket_and_writes_nothing(self, workshop: Workshop) -> None:
        """Seen from the kernel: no connection, no file opened for writing, no folder made."""
        import subprocess

        (workshop.folder / "p.yaml").write_text(WITH_PLUGINS)
        calls = workshop.folder / "calls"
        watched = "trace=connect,bind,mkdir,rename,unlink,openat,open,creat"
        process = subprocess.Popen(
            ["strace", "-f", "-e", watched, "-o", calls, COMMAND, "validate", "p.yaml"],
            cwd=workshop.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        finish(process)
        seen = calls.read_text()
        effects = [
            line
            for line in seen.splitlines()
            if any(word in line for word in ("connect(", "bind(", "mkdir(", "O_CREAT", "unlink("))
        ]

        assert "p.yaml" in seen
        assert [] == [line for line in effects if "/dev/null" not in line]


class TestSecrets:
    @pytest.mark.parametrize("command", ["validate", "run", "checkpoint show"])
    def test_are_never_shown(self, workshop: Workshop, command: str) -> None:
        """A password that came from the environment is in no error, on no stream."""
        file = workshop.folder / "p.yaml"
        file.write_text(
            "name: secrets\n"
            "source: {type: jsonl, config: {path: in.jsonl}}\n"
            "pipeline:\n"
            "  - type: save-to-postgresql\n"
            "    config:\n"
            "      dsn: postgresql://writer:${DB_PASSWORD}@127.0.0.1:1/d\n"
            "      connect_timeout: 1s\n"
            "    on_error: {action: retry, attempts: 1, initial_delay: 1ms}\n"
        )
        (workshop.folder / "in.jsonl").write_text('{"n": 1}\n')
        done = flowctl(*command.split(), file, env={"DB_PASSWORD": SECRET})

        assert (command == "run") == (done.code != 0)
        assert SECRET not in done.out + done.err

    def test_are_masked_where_their_key_is_wrong(self, workshop: Workshop) -> None:
        """The value of a key that nobody knows is not quoted: it may be a misspelt password."""
        done = validate(
            workshop,
            "name: p\nsource: {type: jsonl, config: {path: x}}\npipeline:\n"
            f"  - type: save-to-postgresql\n    config: {{pasword: {SECRET}}}\n",
        )

        assert 2 == done.code
        assert "password" in done.err
        assert SECRET not in done.out + done.err
