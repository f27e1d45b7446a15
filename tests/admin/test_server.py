"""The server: who may ask, what it answers, how it begins and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from cdp_pipeline.admin import Listen, parse_listen
from cdp_pipeline.admin.endpoint import RECORD_NAME, SOCKET_NAME, TOKEN_NAME, Endpoint
from cdp_pipeline.config import Secrets
from cdp_pipeline.errors import UsageError
from cdp_pipeline.observability.logs import _settings, configure_logs, logger
from cdp_pipeline.runtimes.processes.liveness import own_identity
from tests._flowctl import BOUND_S, wait_until
from tests._host import ENRICH, ROLLED_BACK, SWITCHED, Host, running_host

TCP = Listen("tcp", "127.0.0.1", 0)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running_host(tmp_path) as found:
        yield found


def client(host: Host, **options: object) -> httpx.Client:
    """A plain HTTP client for *host*, with no token."""
    endpoint = host.endpoint
    assert endpoint is not None
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=endpoint.socket or None),
        base_url=f"http://{endpoint.address or 'localhost'}",
        trust_env=False,
        timeout=BOUND_S,
        **options,  # type: ignore[arg-type]
    )


class TestUnixSocket:
    def test_only_this_user_may_open_it(self, host: Host) -> None:
        """The socket has mode 0600 in a folder of mode 0700; so has the record."""
        path = host.folder / SOCKET_NAME
        modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, host.folder / RECORD_NAME)]

        assert host.endpoint is not None
        assert str(path) == host.endpoint.socket
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert [0o600, 0o600] == modes
        assert 0o700 == stat.S_IMODE(host.folder.stat().st_mode)

    def test_the_record_says_who_listens_where(self, host: Host) -> None:
        """`admin.json` names pipeline, socket and the very process."""
        record = json.loads((host.folder / RECORD_NAME).read_text())

        assert {
            "pipeline": "numbers",
            "process": own_identity().as_record(),
            "socket": str(host.folder / SOCKET_NAME),
        } == record

    def test_nothing_is_left_when_the_run_has_ended(self, tmp_path: Path) -> None:
        """Socket and record are gone with the run."""
        with running_host(tmp_path) as host:
            pass

        assert [] == list(host.folder.iterdir())

    @pytest.mark.parametrize("listen", [Listen("unix"), Listen("off"), TCP], ids=lambda on: on.kind)
    def test_what_a_dead_host_left_is_removed(self, tmp_path: Path, listen: Listen) -> None:
        """A host that was killed leaves its socket; the next removes it, wherever it listens."""
        folder, elsewhere = tmp_path / "state", tmp_path / "admin-0.sock"
        folder.mkdir(mode=0o700)
        for path in (folder / SOCKET_NAME, elsewhere):
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(path))
        gone = replace(own_identity(), pid=2**22 + 1)
        Endpoint(pipeline="numbers", process=gone, socket=str(elsewhere)).write(folder)
        (folder / TOKEN_NAME).write_text("old")

        with running_host(tmp_path, listen=listen, folder=folder) as host:
            assert not elsewhere.exists()
            assert (listen.kind == "unix") == (folder / SOCKET_NAME).exists()
            assert (listen.kind != "off") == (folder / RECORD_NAME).exists()
            if listen.kind == "unix":
                with client(host) as asks:
                    assert 200 == asks.get("/livez").status_code
        assert [] == list(folder.iterdir())

    def test_a_file_that_is_no_socket_is_left_alone(self, tmp_path: Path) -> None:
        """A record that names some other file does no harm to it."""
        folder, precious = tmp_path / "state", tmp_path / "precious"
        folder.mkdir(mode=0o700)
        precious.write_text("data")
        Endpoint(pipeline="numbers", process=own_identity(), socket=str(precious)).write(folder)

        with running_host(tmp_path, folder=folder):
            pass

        assert "data" == precious.read_text()

    @pytest.mark.parametrize("reason", ["too long", "open to others"])
    def test_a_folder_that_does_not_suit_is_avoided(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
    ) -> None:
        """A path too long for a socket, or a folder others may enter: the runtime folder then."""
        runtime = tmp_path / "r"
        runtime.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        folder = tmp_path / ("x" * 100 if reason == "too long" else "open")
        folder.mkdir(mode=0o700)
        if reason != "too long":
            folder.chmod(0o755)

        with running_host(tmp_path, folder=folder) as host, client(host) as asks:
            assert host.endpoint is not None
            path = Path(host.endpoint.socket)
            assert 200 == asks.get("/livez").status_code
            assert folder not in path.parents
            assert 0o600 == stat.S_IMODE(path.stat().st_mode)
            assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)
        assert not path.exists()

    def test_a_server_that_cannot_start_is_a_warning(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Something else in the socket's place: the run goes on without a server."""
        configure_logs("json")
        folder = tmp_path / "state"
        (folder / SOCKET_NAME).mkdir(parents=True)
        folder.chmod(0o700)

        with running_host(tmp_path, folder=folder) as host:
            assert host.endpoint is None
            wait_until(lambda: host.statistics.rows_read > 3, "the run goes on")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

        assert ["admin.unavailable"] == [line["code"] for line in lines if "code" in line]
        assert (folder / SOCKET_NAME).is_dir()

    def test_off_means_off(self, tmp_path: Path) -> None:
        """With `--admin off` nothing listens and nothing is written."""
        with running_host(tmp_path, listen=Listen("off")) as host:
            assert host.endpoint is None
            assert [] == list(host.folder.iterdir())


class TestTcp:
    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[Host]:
        with running_host(tmp_path, listen=TCP) as found:
            yield found

    def bearer(self, host: Host) -> dict[str, str]:
        return {"authorization": f"Bearer {(host.folder / TOKEN_NAME).read_text()}"}

    def test_the_token_is_this_users_alone(self, host: Host) -> None:
        """32 random bytes in a file of mode 0600; it is not in the record."""
        path = host.folder / TOKEN_NAME

        assert 64 == len(path.read_text())
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert path.read_text() not in (host.folder / RECORD_NAME).read_text()

    def test_the_token_is_needed_and_is_enough(self, host: Host) -> None:
        """Without it, or with another, 401; with it the answer."""
        with client(host) as asks:
            without = asks.get("/status")
            other = asks.get("/status", headers={"authorization": "Bearer " + "0" * 64})
            given = asks.get("/status", headers=self.bearer(host))
            changed = asks.post("/pipeline/pause")

        assert (401, "admin.token_refused") == (without.status_code, without.json()["code"])
        assert 401 == other.status_code
        assert "Bearer" == without.headers["www-authenticate"]
        assert 200 == given.status_code
        assert 401 == changed.status_code
        assert not host.pipeline.is_paused

    @pytest.mark.parametrize(
        ("name", "status"),
        [
            ("evil.example.org", 403),
            ("127.0.0.1.evil.example.org:80", 403),
            ("10.0.0.1", 403),
            ("localhost:1", 200),
            ("[::1]", 200),
            ("127.0.0.1", 200),
        ],
    )
    def test_the_host_header_names_this_machine(self, host: Host, name: str, status: int) -> None:
        """A name that is not loopback is refused even with the token: DNS rebinding."""
        with client(host) as asks:
            answer = asks.get("/livez", headers=self.bearer(host) | {"host": name})

        assert status == answer.status_code
        assert "access-control-allow-origin" not in answer.headers

    def test_a_port_that_is_taken_is_a_warning(self, tmp_path: Path, host: Host) -> None:
        """The run goes on, and no token is left."""
        assert host.endpoint is not None
        port = int(host.endpoint.address.rpartition(":")[2])
        listen = Listen("tcp", "127.0.0.1", port)

        with running_host(tmp_path / "b", name="second", listen=listen) as second:
            assert second.endpoint is None
            assert [] == list(second.folder.iterdir())


class TestWhereToListen:
    @pytest.mark.parametrize(
        ("text", "listen"),
        [
            ("unix", Listen("unix")),
            ("off", Listen("off")),
            ("127.0.0.1:0", Listen("tcp", "127.0.0.1", 0)),
            ("localhost:8080", Listen("tcp", "127.0.0.1", 8080)),
            ("[::1]:9", Listen("tcp", "::1", 9)),
        ],
    )
    def test_places_that_only_this_machine_reaches(self, text: str, listen: Listen) -> None:
        """A Unix socket, nothing, or a loopback address."""
        assert listen == parse_listen(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("", "on", "0.0.0.0:80", "10.0.0.1:80", "example.org:80", "127.0.0.1", "[::]:1"),
            *("127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x"),
        ],
    )
    def test_others_are_refused(self, text: str) -> None:
        """Whatever others could reach, or is no address, is an error of usage."""
        with pytest.raises(UsageError) as raised:
            parse_listen(text)

        assert "admin.address_invalid" == raised.value.code


class TestAnswers:
    def test_status_tells_how_the_run_is(self, host: Host) -> None:
        """Position, checkpoint and counters move; plugins are in the order of the pipeline."""
        with client(host) as asks:
            found = wait_until(
                lambda: (s := asks.get("/status").json())["checkpoint"] and s, "a checkpoint"
            )

        assert ("numbers", "running", "rows") == tuple(
            found[key] for key in ("pipeline", "state", "unit")
        )
        assert found["position"] >= found["checkpoint"] > 0
        assert found["rows_read"] >= found["checkpoint"]
        assert ["stage-0", "stage-1"] == [stage["name"] for stage in found["stages"]]
        assert found["stages"][0]["rows_in"] > 0
        assert ["source", "stage-0"] == [plugin["name"] for plugin in found["plugins"]]

    def test_a_plugin_is_found_by_stage_and_by_name(self, host: Host) -> None:
        """`/plugins/NAME` takes the stage or the plugin; both tell the same."""
        with client(host) as asks:
            everything = asks.get("/plugins").json()
            by_stage, by_name = asks.get("/plugins/stage-0"), asks.get("/plugins/enrich")

        assert ENRICH.as_json() == everything["plugins"][1]
        assert [ENRICH.as_json()] == by_stage.json()["plugins"] == by_name.json()["plugins"]

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("GET", "/plugins/enrihc", 404, "plugin.unknown"),
            ("POST", "/plugins/enrihc/reload", 404, "plugin.unknown"),
            ("GET", "/plugins/enrihc/logs", 404, "plugin.unknown"),
            ("GET", "/nothing", 404, "admin.unknown_path"),
            ("GET", "/plugins/", 404, "admin.unknown_path"),
            ("POST", "/status", 405, "admin.method_not_allowed"),
            ("GET", "/plugins/enrich/reload", 405, "admin.method_not_allowed"),
            ("GET", "/events?after=x", 400, "admin.parameter_invalid"),
            ("GET", "/events?wait_s=61", 400, "admin.parameter_invalid"),
            ("GET", "/events?wait_s=nan", 400, "admin.parameter_invalid"),
            ("GET", "/plugins/enrich/logs?lines=0", 400, "admin.parameter_invalid"),
        ],
    )
    def test_what_cannot_be_answered(
        self, host: Host, method: str, path: str, status: int, code: str
    ) -> None:
        """Every refusal has one form: a stable code, a message and a hint."""
        with client(host) as asks:
            answer = asks.request(method, path)

        assert (status, code) == (answer.status_code, answer.json()["code"])
        assert {"code", "message", "hint"} == answer.json().keys()
        assert answer.json()["message"]
        assert answer.json()["hint"]
        assert [] == host.manager.reloads

    def test_a_fault_of_ours_is_answered_too(self, host: Host) -> None:
        """An unexpected exception is a 500 in the same form, and the server goes on."""
        host.manager.fault = RuntimeError("boom")
        with client(host) as asks:
            answer = asks.get("/plugins")
            host.manager.fault = None

            assert (500, "internal") == (answer.status_code, answer.json()["code"])
            assert 200 == asks.get("/plugins").status_code

    def test_no_answer_shows_a_secret(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        """What plugins and errors say is masked as in log lines; names and states stay."""
        monkeypatch.setattr(_settings, "mask", Secrets().including(["hunter2", "running"]).masked)
        said = "postgres://me:hunter2@db/x refuses"
        host.manager.found[1] = replace(ENRICH, reason=said, health_message=said)
        host.manager.reports = [replace(ROLLED_BACK, error=said, hint=said)]
        host.call(
            lambda: host.manager.events.note(
                "stage-0", "enrich@1.2.0", "health", said, url=said, tried=[{"url": said}]
            )
        )
        with client(host) as asks:
            answers = [asks.get(path) for path in ("/status", "/plugins", "/events", "/readyz")]
            answers.append(asks.post("/plugins/enrich/reload"))
            host.manager.fault = UsageError(said, hint=said)
            answers.append(asks.get("/plugins"))

        assert "running" == answers[0].json()["state"]
        assert "postgres://me:***@db/x refuses" == answers[1].json()["plugins"][1]["reason"]
        assert [] == [answer.text for answer in answers if "hunter2" in answer.text]

    def test_a_reload_answers_with_its_reports(self, host: Host) -> None:
        """200 when every stage switched, 409 when one did not; the reports tell which."""
        with client(host) as asks:
            good = asks.post("/plugins/enrich/reload")
            host.manager.reports = [SWITCHED, ROLLED_BACK]
            bad = asks.post("/plugins/enrich/reload")

        assert (200, [SWITCHED.as_json()]) == (good.status_code, good.json()["reports"])
        assert 409 == bad.status_code
        assert [SWITCHED.as_json(), ROLLED_BACK.as_json()] == bad.json()["reports"]
        assert [("enrich", "command")] * 2 == host.manager.reloads

    def test_log_lines_of_a_plugin(self, host: Host) -> None:
        """The newest lines, of every version of the plugin; more of them by their number."""
        configure_logs()
        logger(plugin="enrich@1.1.0").info("an old version")
        logger(plugin="enrich@1.2.0", stage="stage-0").warning("slow", wait_s=2)
        logger(plugin="other@1.0.0").info("of another plugin")
        with client(host) as asks:
            found = asks.get("/plugins/enrich/logs").json()
            newest = asks.get("/plugins/enrich/logs?lines=1").json()["lines"]
            logger(plugin="enrich@1.2.0").info("later")
            later = asks.get(f"/plugins/enrich/logs?after={found['newest']}").json()["lines"]

        assert ["an old version", "slow"] == [line["message"] for line in found["lines"]][-2:]
        assert ("warning", {"wait_s": "2"}) == (newest[0]["level"], newest[0]["fields"])
        assert ["later"] == [line["message"] for line in later]


class TestEvents:
    def test_they_are_numbered_and_kept(self, host: Host) -> None:
        """Events after a number, oldest first, and the number of the newest."""
        for message in ("one", "two", "three"):
            host.call(
                lambda message=message: host.manager.events.note("s", "p@1", "state", message)
            )
        with client(host) as asks:
            found = asks.get("/events?after=1").json()

        assert ([2, 3], 3) == ([event["number"] for event in found["events"]], found["newest"])

    def test_a_long_poll_is_answered_by_the_next_event(self, host: Host) -> None:
        """A question that waits is answered when something happens, long before its time."""
        answers = []

        def ask() -> None:
            with client(host) as asks:
                answers.append(asks.get("/events?wait_s=60").json())

        began = time.monotonic()
        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: host.call(lambda: host.manager.events._news._waiters), "a waiting poll")
        host.call(lambda: host.manager.events.note("s", "p@1", "state", "now"))
        thread.join(BOUND_S)

        assert ["now"] == [event["message"] for event in answers[0]["events"]]
        assert time.monotonic() - began < 55

    def test_a_long_poll_ends_with_its_time(self, host: Host) -> None:
        """Nothing happened: an empty answer, no error."""
        with client(host) as asks:
            assert {"events": [], "newest": 0} == asks.get("/events?wait_s=0.05").json()

    def test_a_long_poll_does_not_hold_up_the_end(self, tmp_path: Path) -> None:
        """When the run ends, who waits is answered at once."""
        answers = []

        def ask(host: Host) -> None:
            with client(host) as asks:
                answers.append(asks.get("/events?wait_s=60").status_code)

        with running_host(tmp_path) as host:
            thread = threading.Thread(target=ask, args=(host,))
            thread.start()
            wait_until(
                lambda: host.call(lambda: host.manager.events._news._waiters), "a waiting poll"
            )
        thread.join(BOUND_S)

        assert [200] == answers


class TestSteering:
    def test_a_pause_lets_nothing_in_until_it_is_undone(self, host: Host) -> None:
        """Paused: all that was read becomes durable and no more is; resumed: it goes on."""
        with client(host) as asks:
            paused = asks.post("/pipeline/pause").json()
            again = asks.post("/pipeline/pause").json()
            ready = asks.get("/readyz").status_code
            still = wait_until(
                lambda: (s := asks.get("/status").json())["position"] == s["checkpoint"] and s,
                "everything durable",
            )
            resumed = asks.post("/pipeline/resume").json()
            wait_until(lambda: host.statistics.position > still["position"], "it goes on")

        assert {"pipeline": "numbers", "state": "paused"} == paused == again
        assert ("paused", 200) == (still["state"], ready)
        assert {"pipeline": "numbers", "state": "running"} == resumed

    def test_a_drain_ends_the_run_with_everything_durable(self, tmp_path: Path) -> None:
        """Drained also from a pause: the run ends by itself, all that was read is durable."""
        with running_host(tmp_path) as host, client(host) as asks:
            wait_until(lambda: host.statistics.rows_read, "rows")
            asks.post("/pipeline/pause")
            drained = asks.post("/pipeline/drain").json()
            wait_until(lambda: not (host.folder / RECORD_NAME).exists(), "the end")

        assert {"pipeline": "numbers", "state": "draining"} == drained
        assert host.statistics.position == host.pipeline.checkpoint_position

    def test_a_draining_pipeline_is_not_ready_and_not_paused(self, host: Host) -> None:
        """While it drains, `/readyz` says so with 503, and a pause is refused."""
        host.call(lambda: setattr(host.pipeline._outcome, "stopped", True))
        with client(host) as asks:
            ready, paused = asks.get("/readyz"), asks.post("/pipeline/pause")

        assert (503, ["the pipeline is draining"]) == (ready.status_code, ready.json()["reasons"])
        assert (409, "pipeline.draining") == (paused.status_code, paused.json()["code"])

    def test_ready_means_that_all_plugins_run(self, host: Host) -> None:
        """`/readyz` names each plugin that does not; `/livez` does not care."""
        with client(host) as asks:
            before = asks.get("/readyz")
            host.manager.found[1] = replace(
                ENRICH, state="quarantined", reason="died 5 times in 60 s"
            )
            after, alive = asks.get("/readyz"), asks.get("/livez")

        assert (200, {"is_ready": True, "reasons": []}) == (before.status_code, before.json())
        assert 503 == after.status_code
        assert ["plugin `stage-0` is quarantined: died 5 times in 60 s"] == after.json()["reasons"]
        assert (200, {"status": "live"}) == (alive.status_code, alive.json())

    def test_a_reload_in_progress_does_not_hold_up_the_end(self, tmp_path: Path) -> None:
        """The run is over: who waits for a reload that does not end is let go within seconds."""
        outcomes = []

        def ask(host: Host) -> None:
            try:
                with client(host) as asks:
                    outcomes.append(asks.post("/plugins/enrich/reload").status_code)
            except httpx.HTTPError as error:
                outcomes.append(error)

        with running_host(tmp_path) as host:
            host.manager.hangs = True
            thread = threading.Thread(target=ask, args=(host,))
            thread.start()
            wait_until(lambda: host.manager.reloads, "a reload")
        thread.join(BOUND_S)

        assert not thread.is_alive()
        assert [] == list(host.folder.iterdir())
        assert isinstance(outcomes[0], httpx.HTTPError) or outcomes[0] >= 500


_HOST = """
import asyncio, signal, sys
from pathlib import Path
from cdp_pipeline.admin import serving
from cdp_pipeline.observability.logs import configure_logs
from tests._host import Bench, Host, MemoryConsumer, Numbers, Plugins

async def main():
    bench = Bench(Path(sys.argv[1]))
    pipeline = bench.pipeline(Numbers(), MemoryConsumer())
    host = Host("numbers", pipeline, bench.statistics, Plugins(), Path(sys.argv[1]))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, pipeline.stop)
    async with serving(host, Path(sys.argv[1]), {}):
        await pipeline.run()
    print("drained")

configure_logs()
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_left_to_the_host(tmp_path: Path, number: int) -> None:
    """A host that drains on signals still does with a server in its loop, and says no more."""
    tmp_path.chmod(0o700)
    process = subprocess.Popen(
        [sys.executable, "-c", _HOST, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        wait_until(lambda: (tmp_path / RECORD_NAME).exists() or process.poll(), "the server")
        path = str(tmp_path / SOCKET_NAME)
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://x") as asks:
            assert 200 == asks.get("/livez", timeout=BOUND_S).status_code
        process.send_signal(number)
        out, err = process.communicate(timeout=BOUND_S)
    finally:
        process.kill()
        process.wait()

    assert (0, b"drained\n", b"") == (process.returncode, out, err)
    assert not (tmp_path / SOCKET_NAME).exists()
