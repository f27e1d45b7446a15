"""The example `fraud-detection.yaml` on the real ledgers: three languages, and a mail."""

from __future__ import annotations

import re
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from uuid import UUID

import pytest

from tests._flowctl import Finished, start
from tests._workshop import FIRST, LAST, Lake

EXAMPLES = Path(__file__).parents[2] / "examples"
STAGES = ("ledger-summary", "fraud-detector", "map", "email-notifier")
BUILDS_BOUND_S = 400.0
"""The first run installs scikit-learn and the notifier's packages, and compiles in Go."""


class Conversation(socketserver.StreamRequestHandler):
    """What one client of the mail server says, and is answered (RFC 5321)."""

    server: MailServer

    def handle(self) -> None:
        """Answer line for line until the client leaves."""
        self.wfile.write(b"220 localhost\r\n")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._take()
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return

    def _take(self) -> None:
        """Keep what comes up to the line that holds one dot."""
        self.wfile.write(b"354 go on\r\n")
        lines = iter(self.rfile.readline, b".\r\n")
        text = b"".join(line.removeprefix(b".") for line in lines if line)
        self.server.alive.update(self.server.on_mail())
        self.server.mails.append(message_from_bytes(text))


class MailServer(socketserver.ThreadingTCPServer):
    """A mail server at a free local port, which keeps all that it is sent.

    Attributes:
        mails: What was sent, in order.
        on_mail: Asked with every mail which processes live.
        alive: What it answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[Message] = []
        self.alive: set[str] = set()
        self.on_mail: Callable[[], list[str]] = list

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A mail server that takes mails for the length of a test."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _tools() -> None:
    """Skip where what builds a plugin is missing."""
    missing = [tool for tool in ("go", "node", "npm") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: plugins cannot be built")


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the sockets of this test's plugins alone; its path marks their processes."""
    with tempfile.TemporaryDirectory(prefix="cdp-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def plugin_processes(sockets: Path) -> list[str]:
    """Return the commands of living plugins whose `PLUGIN_SOCKET` is below *sockets*."""
    mark, found = f"PLUGIN_SOCKET={sockets}/".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_plugin = mark in (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if is_plugin:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def run_example(lake: Lake, mail_server: MailServer) -> Finished:
    """Run the example on the real ledgers, its mails sent to *mail_server*."""
    env = {
        "CDP_LAKE": str(lake.folder),
        "START": str(FIRST),
        "END": str(LAST),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mail_server.port),
    }
    process = start("run", EXAMPLES / "pipelines" / "fraud-detection.yaml", env=env)
    try:
        out, err = process.communicate(timeout=BUILDS_BOUND_S)
    finally:
        process.kill()
        process.wait()
    return Finished(process.returncode, out.decode(), err.decode())


def named_id(mail: Message) -> UUID:
    """Return the id that the text of *mail* names."""
    found = re.fullmatch(r"Fraud detected in transaction (\S+)\s*", str(mail.get_payload()))
    assert found is not None, mail.as_string()
    return UUID(found[1])


class TestFraudDetection:
    def test_sends_a_mail_of_real_ledgers(
        self, real_lake: Lake, mail_server: MailServer, sockets: Path
    ) -> None:
        """Go, Python and Node pass 11 ledgers on, mails name them, and no process stays."""
        mail_server.on_mail = lambda: plugin_processes(sockets)
        first = run_example(real_lake, mail_server)
        left = plugin_processes(sockets)
        mails = list(mail_server.mails)
        again = run_example(real_lake, mail_server)

        assert 0 == first.code, first.err
        assert f"completed, durable through {LAST}" in first.err
        for stage in STAGES:
            assert f"  {stage}: 11 in, 11 out\n" in first.err
        assert {"Fraud Alert"} == {mail["Subject"] for mail in mails}
        assert {"security@example.com"} == {mail["To"] for mail in mails}
        assert len(mails) == len({named_id(mail) for mail in mails})
        assert 3 <= len(mail_server.alive), "this test cannot see the plugins"
        assert [] == left
        assert 0 == again.code, again.err
        assert "already completed" in again.err
        assert len(mails) == len(mail_server.mails)
