"""`flowctl test record`: what a live stage answers becomes cases that pass."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cdp_pipeline.admin.client import Client
from cdp_pipeline.admin.discovery import find_host
from cdp_pipeline.errors import CdpError
from tests._flowctl import Finished, finish, flowctl, start, wait_until
from tests._workshop import Workshop

PLUGIN = '''
from cdpplugin import Drop, PluginError, processor

@processor("recorded", "1.0.0", stateful=STATEFUL)
def recorded(message):
    """Answers in every way there is, and changes what it was given."""
    assert recorded.config["api_token"] == "s3cret-recorded"
    n = message.payload["n"]
    message.payload["seen"] = recorded.config["colour"]
    if message.payload.get("asks"):
        message.metadata["told"] = "token " + recorded.config["api_token"]
    if n % 5 == 0:
        raise Drop("a fifth")
    if n % 7 == 0:
        raise PluginError("no sevens", code="seven.refused")
    return [message] * (1 + n % 2)
'''
BOOK = '''
from cdpplugin import consumer

@consumer("recorded-book", "1.0.0")
def book(message):
    """Takes everything."""
'''


class Live:
    """A pipeline that follows a file, fed as long as it is asked to."""

    def __init__(self, workshop: Workshop, *, stateful: bool = False) -> None:
        self.folder = workshop.folder
        (self.folder / "recorded.py").write_text(PLUGIN.replace("STATEFUL", str(stateful)))
        (self.folder / "book.py").write_text(BOOK)
        (self.folder / "in.jsonl").touch()
        self.file = self.folder / "live.yaml"
        self.file.write_text(
            json.dumps(
                {
                    "name": "recorded-live",
                    "plugins": [
                        {"name": "recorded", "path": "./recorded.py"},
                        {"name": "recorded-book", "path": "./book.py"},
                    ],
                    "source": {
                        "type": "jsonl",
                        "config": {"path": "in.jsonl", "follow": True, "poll_interval": "5ms"},
                    },
                    "pipeline": [
                        {
                            "plugin": "recorded",
                            "name": "stage",
                            "on_error": "drop",
                            "config": {
                                "colour": "$$red",
                                "api_token": "${RECORDED_TOKEN}",
                            },
                        },
                        {"type": "filter", "config": {"where": "payload.n >= 0"}},
                        {"plugin": "recorded-book", "name": "book"},
                        {"type": "save-to-jsonl", "config": {"path": "out.jsonl"}},
                    ],
                }
            )
        )
        self.env = {"RECORDED_TOKEN": "s3cret-recorded"}
        self.process = start("run", self.file, cwd=self.folder, env=self.env)
        self.count = 0
        self.more: dict[str, Any] = {}
        wait_until(self.is_running, "a host")

    def is_running(self) -> bool:
        try:
            return bool(self.get("/readyz")["is_ready"])
        except CdpError:
            assert self.process.poll() is None, self.process.communicate()
            return False

    def get(self, path: str, **query: Any) -> Any:
        with Client(find_host(os.environ, "recorded-live")) as client:
            return client.get(path, **query)

    def feed(self, rows: int = 20) -> None:
        with (self.folder / "in.jsonl").open("a") as lines:
            for _ in range(rows):
                self.count += 1
                account = "G" + "$" * (self.count % 3) + "A\u2028\x85\U0001f600"
                lines.write(json.dumps({"n": self.count, "account": account} | self.more) + "\n")

    def recorded(self, *arguments: str) -> Finished:
        """Record while rows come."""
        done = threading.Event()

        def feed() -> None:
            while not done.wait(0.02):
                self.feed()

        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            return flowctl("test", "record", *arguments, cwd=self.folder)
        finally:
            done.set()
            feeding.join()

    def drained(self) -> list[Any]:
        wait_until(lambda: self.get("/status")["rows_read"] == self.count, "all rows")
        assert 0 == flowctl("pipeline", "drain").code
        done = finish(self.process)
        assert 0 == done.code, done.err
        lines = (self.folder / "out.jsonl").read_text().split("\n")
        return [json.loads(line)["n"] for line in lines if line]


@pytest.fixture
def live(workshop: Workshop, request: pytest.FixtureRequest) -> Iterator[Live]:
    found = Live(workshop, stateful=getattr(request, "param", False))
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_processor(live: Live) -> None:
    """Outputs, drops and errors become cases that pass; what flows is the same as ever."""
    done = live.recorded("stage", "--count", "40")
    assert (0, "") == (done.code, done.err), done.err
    assert "40 messages of `stage` written to test-stage.yaml" in done.out
    text = (live.folder / "test-stage.yaml").read_text()
    assert "s3cret" not in text
    assert 'requires_env: ["RECORDED_TOKEN"]' in text
    assert '"path": "./recorded.py"' in text
    assert 'expect: "drop"' in text
    assert 'expect: {"error": "seven.refused"}' in text
    tried = flowctl("test", "test-stage.yaml", cwd=live.folder, env=live.env)
    assert (0, "40 passed, 0 failed") == (tried.code, tried.out.splitlines()[-1]), tried.out
    assert "skipped" in flowctl("test", "test-stage.yaml", cwd=live.folder).out

    expected = [n for n in range(1, live.count + 1) if n % 5 and n % 7 for _ in range(1 + n % 2)]
    assert expected == live.drained()


def test_a_built_in_and_a_consumer(live: Live) -> None:
    """A component of the host is named by its type; a consumer accepts."""
    for stage, said in (("filter", "accepted"), ("book", "consumer")):
        done = live.recorded(stage, "recorded-live", "--count", "3", "--out", f"test-{stage}.yaml")
        assert 0 == done.code, done.err
        tried = flowctl("test", f"test-{stage}.yaml", cwd=live.folder)
        assert (0, "3 passed, 0 failed") == (tried.code, tried.out.splitlines()[-1]), tried.out
        assert (said == "consumer") == ("is a consumer; it writes" in done.err)
    assert 'expect: "accepted"' in (live.folder / "test-book.yaml").read_text()


def test_redacted(live: Live) -> None:
    """What is to be redacted is neither in the inputs nor in the outputs."""
    assert 0 == live.recorded("stage", "--count", "8", "--redact", "payload.account").code
    text = (live.folder / "test-stage.yaml").read_text()
    assert "\U0001f600" not in text
    assert '"account": "redacted"' in text
    assert 0 == flowctl("test", "test-stage.yaml", cwd=live.folder, env=live.env).code


def test_what_is_not_redacted(live: Live) -> None:
    """A member that no message has is refused, as it may be misspelt; an id hides in names too."""
    done = live.recorded("stage", "--count", "3", "--redact", "payload.acount")
    assert (2, "record.nothing_redacted") == (done.code, done.fault.code)
    assert not (live.folder / "test-stage.yaml").exists()
    assert 0 == live.recorded("stage", "--count", "3", "--redact", "id").code
    assert "in.jsonl:" not in (live.folder / "test-stage.yaml").read_text()


def test_secrets_in_messages(live: Live) -> None:
    """A secret of the pipeline that a stage gives away leaves the host masked, and that is told."""
    live.more = {"asks": True}
    done = live.recorded("stage", "--count", "3")
    assert (0, True) == (done.code, "messages held secrets; `***`" in done.err)
    text = (live.folder / "test-stage.yaml").read_text()
    assert '"metadata": {"told": "token ***"}' in text
    assert "s3cret" not in text


@pytest.mark.parametrize("live", [True], indirect=True)
def test_a_stateful_stage(live: Live) -> None:
    """It is recorded; the command and the file say that its state is not."""
    done = live.recorded("stage", "--count", "2")
    assert 0 == done.code
    assert "stateful; its state is not in this file" in done.err
    assert "# `stage` is stateful" in (live.folder / "test-stage.yaml").read_text()


def test_what_cannot_be_recorded(live: Live) -> None:
    """No such stage, a source, an existing file, no message in time: each is said."""
    done = flowctl("test", "record", "stagee", cwd=live.folder)
    assert ("plugin.unknown", "did you mean `stage`?") == (done.fault.code, done.fault.hint)
    done = flowctl("test", "record", "jsonl", cwd=live.folder)
    assert "record.not_a_stage" == done.fault.code
    (live.folder / "test-stage.yaml").write_text("mine")
    done = flowctl("test", "record", "stage", cwd=live.folder)
    assert (2, "record.file_exists") == (done.code, done.fault.code)
    done = flowctl("test", "record", "stage", "--force", "--timeout-s", "0.1", cwd=live.folder)
    assert (1, "mine") == (done.code, (live.folder / "test-stage.yaml").read_text())
    assert "no message came to `stage` within 0.1 s" in done.err


def test_fewer_than_wanted(live: Live) -> None:
    """What came in time is written."""
    recording = start(
        "test", "record", "stage", "--count", "900", "--timeout-s", "1.5", cwd=live.folder
    )
    while recording.poll() is None:
        live.feed(1)
        threading.Event().wait(0.05)
    done = finish(recording)
    assert 0 == done.code, done.err
    assert " of 900 messages" in done.out


def test_the_client_goes(live: Live) -> None:
    """A recording ends with its client; a second one beside it is refused."""
    endpoint = find_host(os.environ, "recorded-live")
    query = {"count": 5, "wait_s": 600}
    with (
        httpx.Client(
            transport=httpx.HTTPTransport(uds=endpoint.socket), base_url="http://localhost"
        ) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("/plugins/stage/record", params=query, timeout=0.5)

    refused: list[str] = []

    def answered() -> Any:
        try:
            return live.get("/plugins/stage/record", count=1, wait_s=0)
        except CdpError as error:
            refused.append(error.code)
            return None

    assert [] == list(wait_until(answered, "an end of the recording")["cases"])
    assert {"record.busy"} >= set(refused)


def test_none_runs(tmp_path: Path) -> None:
    """Without a host there is nothing to be recorded."""
    done = flowctl("test", "record", "stage", "recorded-nobody", cwd=tmp_path)
    assert (2, "host.not_running") == (done.code, done.fault.code)
