"""Commands that ask a running host: they find it, show it and steer it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.admin import Listen
from cdp_pipeline.admin.endpoint import RECORD_NAME, TOKEN_NAME, Endpoint
from cdp_pipeline.config.paths import state_folder
from cdp_pipeline.observability.logs import configure_logs, logger
from cdp_pipeline.runtimes.processes.liveness import own_identity
from tests._flowctl import BOUND_S, Finished, flowctl, running, wait_until
from tests._host import ENRICH, ROLLED_BACK, SWITCHED, Host, running_host

COMMANDS = [
    ("status",),
    ("plugin", "reload", "enrich"),
    ("plugin", "logs", "enrich"),
    ("pipeline", "pause"),
    ("pipeline", "resume"),
    ("pipeline", "drain"),
]
COUNTS = "CALLS ROWS FAILED RELOADS"


@pytest.fixture(params=[Listen("unix"), Listen("tcp", "127.0.0.1", 0)], ids=["unix", "tcp"])
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    with running_host(tmp_path, listen=request.param) as found:
        yield found


def answer(done: Finished) -> Any:
    """Return what a command printed as JSON."""
    assert (0, "") == (done.code, done.err)
    return json.loads(done.out)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


class TestStatus:
    def test_shows_the_run_and_every_stage(self, host: Host) -> None:
        """One line of where it is, then a line a stage with its plugin and its counters."""
        wait_until(lambda: host.pipeline.checkpoint_position > 0, "a checkpoint")
        done = flowctl("status")
        first, *_ = done.out.splitlines()
        table = {row[0]: row for row in rows(done.out) if row}

        assert (0, "") == (done.code, done.err)
        assert first.startswith("numbers: running, rows ")
        assert ", durable through " in first
        assert ["enrich@1.2.0", "running"] == table["stage-0"][1:3]
        assert int(table["stage-0"][3].replace(",", "")) > 0
        assert ["numbers@1.0.0", "running"] == table["source"][1:3]

    def test_gives_the_same_as_json(self, host: Host) -> None:
        """`--output json` is the API's answer as it is."""
        found = answer(flowctl("status", "--output", "json"))

        assert ("numbers", "running") == (found["pipeline"], found["state"])
        assert ["source", "stage-0"] == [plugin["name"] for plugin in found["plugins"]]


class TestPluginList:
    def test_is_a_table_with_a_line_a_plugin(self, host: Host) -> None:
        """Name, version, kind, runtime, state, health, calls, rows, failures, reloads."""
        done = flowctl("plugin", "list")
        heads, _, enrich = rows(done.out)

        assert (0, "") == (done.code, done.err)
        assert f"NAME VERSION KIND RUNTIME STATE HEALTH {COUNTS}" == " ".join(heads)
        assert "stage-0 1.2.0 processor grpc running healthy 7 70,000 3 2" == " ".join(enrich)

    def test_wide_shows_what_confines_a_plugin(self, host: Host) -> None:
        """With `--wide` each limit stands with the mechanism that enforces it."""
        assert "cgroup" not in flowctl("plugin", "list").out

        done = flowctl("plugin", "list", "--wide")

        assert "memory: cgroup v2" in " ".join(done.out.split())
        assert "network: not confined" in " ".join(done.out.split())

    def test_says_what_is_wrong(self, host: Host) -> None:
        """A plugin that does not run as it should is followed by the reason, made harmless."""
        host.manager.found[1] = replace(
            ENRICH,
            state="unhealthy",
            reason="3 checks failed",
            health="unhealthy",
            health_message="no \x1b[2Jmodel",
        )
        done = flowctl("plugin", "list")

        assert "\x1b" not in done.out
        assert "reason: 3 checks failed" in " ".join(done.out.split())
        assert "health: no model" in " ".join(done.out.split())

    def test_gives_everything_as_json(self, host: Host) -> None:
        """`--output json` has every field."""
        found = answer(flowctl("plugin", "list", "--output", "json"))

        assert "numbers" == found["pipeline"]
        assert ENRICH.as_json() == found["plugins"][1]


class TestPluginFolders:
    @pytest.fixture
    def folder(self) -> Path:
        folder = Path(os.environ["XDG_DATA_HOME"]) / "cdp" / "plugins"
        for name, text in {
            "good": "name: good-one\nversion: 1.2.3\ntype: consumer\nexecutable: run.wasm\n",
            "bad": "name: bad\nversion: soon\n",
        }.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "plugin.yaml").write_text(text)
        (folder / "no-plugin").mkdir()
        (folder / "bare.wasm").write_bytes(b"\0asm")
        return folder

    def test_are_listed_when_nothing_runs(self, folder: Path) -> None:
        """What lies there: name, version, kind, runtime and path; a bad manifest says why."""
        done = flowctl("plugin", "list")
        table = {row[0]: row for row in rows(done.out) if row}

        assert 0 == done.code
        assert f"no pipeline is running; plugins in {folder}:\n" == done.err
        assert ["1.2.3", "consumer", "wasm", "ok", str(folder / "good")] == table["good-one"][1:]
        assert "cannot be used" in done.out
        assert f"{folder}/bad/plugin.yaml:2:" in done.out
        assert "no-plugin" not in done.out

    def test_are_listed_as_json(self, folder: Path) -> None:
        """The same for machines; `pipeline` is null."""
        done = flowctl("plugin", "list", "--output", "json")
        found = {plugin["name"]: plugin for plugin in answer(done)["plugins"]}

        assert json.loads(done.out)["pipeline"] is None
        assert {"bad", "bare", "good-one"} == found.keys()
        assert found["good-one"]["error"] is None
        assert "artifact.manifest_invalid" == found["bad"]["error"]["code"]

    def test_without_any(self) -> None:
        """An empty place is said, not shown as an empty table."""
        assert "none\n" == flowctl("plugin", "list").out


class TestReload:
    def test_says_what_was_switched(self, host: Host) -> None:
        """Old version, new version, how long each step took; exit code 0."""
        done = flowctl("plugin", "reload", "enrich")

        assert (0, "") == (done.code, done.err)
        assert "stage-0: switched from enrich@1.2.0 to enrich@1.3.0 in 0.41 s\n" in done.out
        assert "load 0.01 s, start 0.40 s" in done.out
        assert [("enrich", "command")] == host.manager.reloads

    @pytest.mark.parametrize("outcome", ["rolled_back", "refused"])
    def test_fails_when_the_old_version_goes_on(self, host: Host, outcome: Any) -> None:
        """Step, code, error and hint are printed, made harmless; exit code 4."""
        host.manager.reports = [SWITCHED, replace(ROLLED_BACK, outcome=outcome)]
        done = flowctl("plugin", "reload", "enrich")
        as_json = flowctl("plugin", "reload", "enrich", "--output", "json")

        assert (4, "") == (done.code, done.err)
        assert outcome.replace("_", " ") in done.out
        assert "at the step `health`" in done.out
        assert "enrich@1.2.0 goes on" in done.out
        assert "  error[plugin.unhealthy]: it says: no model\n" in done.out
        assert "  hint: look at its log\n" in done.out
        assert 4 == as_json.code
        assert outcome == json.loads(as_json.out)["reports"][1]["outcome"]

    def test_a_stage_may_have_any_name(self, host: Host) -> None:
        """Slashes, spaces and other signs of a name reach the host as they are."""
        name = "a/b c%2F?&#ü"
        host.manager.found[1] = replace(ENRICH, name=name)

        assert 0 == flowctl("plugin", "reload", name).code
        assert 0 == flowctl("plugin", "logs", name).code
        assert [(name, "command")] == host.manager.reloads

    def test_names_the_nearest_plugin(self, host: Host) -> None:
        """An unknown name is the host's error with its code and hint, exit code 2."""
        done = flowctl("plugin", "reload", "enrihc")

        assert (2, "plugin.unknown") == (done.code, done.fault.code)
        assert "did you mean `enrich`?" == done.fault.hint


class TestLogs:
    def test_shows_the_newest_lines(self, host: Host) -> None:
        """Time, level, plugin, message and fields; no more than asked for; nothing dangerous."""
        configure_logs()
        for number in range(5):
            logger(plugin="enrich@1.2.0").warning(f"line {number} \x1b[2J", rows=number)
        done = flowctl("plugin", "logs", "enrich", "--lines", "2")
        found = flowctl("plugin", "logs", "enrich", "--lines", "2", "--output", "json")

        assert (0, "") == (done.code, done.err)
        assert 2 == len(done.out.splitlines())
        assert "[warning ] enrich@1.2.0: line 4  rows=4" in done.out
        assert "\x1b" not in done.out
        assert ["3", "4"] == [json.loads(line)["fields"]["rows"] for line in found.out.splitlines()]

    def test_follow_goes_on_until_the_run_ends(self, tmp_path: Path) -> None:
        """New lines are shown as they come, each once; the end of the run ends the command."""
        configure_logs()
        with running_host(tmp_path) as host:
            logger(plugin="enrich@1.2.0", stage="stage-0").info("before")
            with running("plugin", "logs", "enrich", "--follow") as process:
                assert process.stdout is not None
                first = process.stdout.readline()
                while b"before" not in first:
                    first = process.stdout.readline()
                logger(plugin="enrich@1.2.0", stage="stage-0").info("meanwhile")
                second = process.stdout.readline()
                host.call(host.pipeline.stop)
                out, err = process.communicate(timeout=BOUND_S)

        assert b"meanwhile" in second
        assert (0, b"", b"the run has ended\n") == (process.returncode, out, err)

    def test_an_interrupt_ends_following(self, host: Host) -> None:
        """SIGINT ends the command as any other, without a traceback."""
        configure_logs()
        logger(plugin="enrich@1.2.0", stage="stage-0").info("before")
        with running("plugin", "logs", "enrich", "-f") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=BOUND_S)

        assert (130, b"") == (process.returncode, err)


class TestSteering:
    def test_pause_resume_drain(self, tmp_path: Path) -> None:
        """Each does it, says what the pipeline does now, and gives it as JSON."""
        with running_host(tmp_path) as host:
            paused = flowctl("pipeline", "pause")
            assert host.pipeline.is_paused
            resumed = answer(flowctl("pipeline", "resume", "--output", "json"))
            assert not host.pipeline.is_paused
            drained = flowctl("pipeline", "drain", "--pipeline", "numbers")
            wait_until(lambda: not (host.folder / RECORD_NAME).exists(), "the end")

        assert 0 == paused.code
        assert paused.out.startswith("`numbers` is paused: ")
        assert {"pipeline": "numbers", "state": "running"} == resumed
        assert (0, True) == (drained.code, "is draining" in drained.out)


class TestFinding:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_nothing_runs(self, command: tuple[str, ...]) -> None:
        """Every command says so, with a stable code and exit code 2."""
        done = flowctl(*command)

        assert (2, "", "host.not_running") == (done.code, done.out, done.fault.code)
        assert "flowctl run" in done.fault.hint

    def test_a_dead_host_is_not_running(self, tmp_path: Path) -> None:
        """A record that a killed host left is seen through."""
        with subprocess.Popen(["/bin/true"]) as process:
            dead = replace(own_identity(), pid=process.pid)
        folder = state_folder("dead", os.environ)
        folder.mkdir(parents=True)
        Endpoint(pipeline="dead", process=dead, socket=str(folder / "admin.sock")).write(folder)
        (folder / "admin.json.new").write_text("{")

        assert "host.not_running" == flowctl("status").fault.code
        assert "host.not_running" == flowctl("status", "-p", "dead").fault.code

    def test_one_of_several_is_named(self, tmp_path: Path) -> None:
        """Two run: without a name both are named, with one it is asked, a wrong one is mended."""
        with running_host(tmp_path / "a", name="alpha"), running_host(tmp_path / "b", name="beta"):
            unnamed = flowctl("status")
            named = answer(flowctl("status", "--pipeline", "beta", "--output", "json"))
            listed = answer(flowctl("plugin", "list", "-p", "alpha", "--output", "json"))
            wrong = flowctl("plugin", "list", "-p", "betta")

        assert (2, "host.several_running") == (unnamed.code, unnamed.fault.code)
        assert "`alpha`, `beta`" in unnamed.fault.message
        assert ("beta", "alpha") == (named["pipeline"], listed["pipeline"])
        assert (2, "host.not_running") == (wrong.code, wrong.fault.code)
        assert "did you mean `beta`?" == wrong.fault.hint

    def test_a_proxy_of_the_environment_is_not_asked(self, tmp_path: Path) -> None:
        """Proxy settings are for elsewhere: a host of this machine is asked directly."""
        proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
        with running_host(tmp_path, listen=Listen("tcp", "127.0.0.1", 0)):
            done = flowctl("status", env=proxy)

        assert 0 == done.code

    def test_a_lost_token_is_said(self, tmp_path: Path) -> None:
        """Without its token a TCP host cannot be asked: a clear error, no refusal from afar."""
        with running_host(tmp_path, listen=Listen("tcp", "127.0.0.1", 0)) as host:
            (host.folder / TOKEN_NAME).unlink()
            done = flowctl("status")

        assert (2, "host.unreachable") == (done.code, done.fault.code)
        assert str(host.folder / TOKEN_NAME) == done.fault.where


def test_help_waits_for_no_client_and_no_server() -> None:
    """What asks a host is imported when a command does so: `flowctl --help` is quick."""
    heavy = "{'httpx', 'starlette', 'uvicorn', 'pydantic'}"
    code = f"import sys, cdp_pipeline.cli.main; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert b"set()\n" == done.stdout
