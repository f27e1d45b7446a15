"""Start a real PostgreSQL server for a test session, in a folder of its own, on a free port.

The binaries are found on PATH or where Debian's package puts them. A server never runs as
root: under root it runs as the user `postgres`. It dies with the test process.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

SUPERUSER = "postgres"
PASSWORD = "p@ss word/%41'\\"  # every character that a careless DSN or log would trip over
START_TIMEOUT_S = 60.0
_PR_SET_PDEATHSIG = 1
_numbers = count()
_SPEED = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path | None:
    """Return the folder of the server's binaries, the newest version first, or None."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(folders, key=lambda path: float(path.parts[-3]), reverse=True)
    return newest[0].parent if newest else None


def missing() -> str:
    """Return why no server can be started here, or an empty string."""
    if binaries() is None:
        return "no PostgreSQL server here: install the package `postgresql`"
    if os.geteuid() == 0 and _account() is None:
        return "a PostgreSQL server does not run as root, and there is no user `postgres`"
    return ""


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _as_user() -> dict[str, Any]:
    account = _account()
    if os.geteuid() != 0 or account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A PostgreSQL server: a data folder, and a process while it is started."""

    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        found = binaries()
        assert found is not None, missing()
        self.folder = folder
        self.port = free_port()
        self._bin = found
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        account = _as_user()
        if account:
            for path in (self.folder, password_file):
                os.chown(path, account["user"], account["group"])
        command = [
            self._bin / "initdb",
            *("-D", self.folder / "data", "-U", SUPERUSER, "--pwfile", password_file),
            *("--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C"),
        ]
        subprocess.run(
            command, check=True, stdout=subprocess.PIPE, cwd=self.folder, timeout=120, **account
        )

    @property
    def is_running(self) -> bool:
        """Whether it is started."""
        return self._process is not None

    def start(self, **settings: str) -> None:
        """Start the server and wait until it answers; *settings* as in `postgresql.conf`.

        It ends with the thread that starts it, so call this on the main one.
        """
        assert self._process is None, "the server runs already"
        options = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **_SPEED,
            **settings,
        }
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    self._bin / "postgres",
                    *("-D", self.folder / "data"),
                    *(
                        word
                        for name, value in options.items()
                        for word in ("-c", f"{name}={value}")
                    ),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  # one system call, before any lock
                **_as_user(),
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        ready = [self._bin / "pg_isready", "-q", "-h", self.host, "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode != 0:
            assert self._process is not None
            dead = self._process.poll() is not None
            if dead or time.monotonic() > deadline:
                raise RuntimeError(f"no start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends sessions and shuts down, SIGQUIT is the server's own crash."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(timeout=START_TIMEOUT_S)

    def psql(self, sql: str, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Return what `psql` answers to *sql*: rows as lines, columns parted by `|`."""
        answer = subprocess.run(
            [
                self._bin / "psql",
                *("-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-h", self.folder, "-p", str(self.port), "-U", user, "-d", database),
            ],
            input=sql,
            text=True,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.rstrip("\n")

    @contextmanager
    def database(self, name: str) -> Iterator[Database]:
        """Create a database, and drop it in the end."""
        self.psql(f"CREATE DATABASE {name} STRATEGY file_copy")
        try:
            yield Database(self, name)
        finally:
            if self._process is None:
                self.start()
            self.psql(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Database:
    """One database of a server."""

    server: Server
    name: str

    @property
    def config(self) -> dict[str, Any]:
        """How to reach it, as `save-to-postgresql` is configured."""
        return {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.name,
            "user": SUPERUSER,
            "password": PASSWORD,
        }

    @property
    def dsn(self) -> str:
        """How to reach it through the Unix socket, which asks for no password."""
        return (
            f"host={self.server.folder} port={self.server.port} dbname={self.name} user={SUPERUSER}"
        )

    @property
    def url(self) -> str:
        """How to reach it over TCP, with a password."""
        login = f"{SUPERUSER}:{quote(PASSWORD, safe='')}"
        return f"postgresql://{login}@{self.server.host}:{self.server.port}/{self.name}"

    def psql(self, sql: str) -> str:
        """Return what `psql` answers."""
        return self.server.psql(sql, self.name)


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a new server, and remove it with its data in the end."""
    folder = Path(tempfile.mkdtemp(prefix="cdp-pg-", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o755)
    try:
        server = Server(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A server for the whole session; a test that stops it starts it again."""
    why = missing()
    if why:
        pytest.skip(why)
    with running_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[Database]:
    """A new, empty database."""
    with postgres_server.database(f"test_{next(_numbers)}") as database:
        yield database
