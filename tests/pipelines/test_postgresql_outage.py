"""PostgreSQL goes away in the middle of a run, and comes back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests._flowctl import finish, running, wait_until
from tests._postgres import Database, Server, missing, running_server
from tests._workshop import Workshop

LINES = 40

PACED = '''
import pathlib, time
import cdpplugin

HERE = pathlib.Path(__file__).parent

@cdpplugin.processor("paced", "1.0.0")
def paced(message):
    """Let half of the messages through, the others once somebody opens."""
    while message.payload["n"] > 20 and not (HERE / "open").exists():
        time.sleep(0.01)
    return message
'''


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this test's own: it is stopped."""
    if why := missing():
        pytest.skip(why)
    with running_server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with server.database("outage") as database:
        yield database


def write_pipeline(workshop: Workshop, database: Database, attempts: int) -> Path:
    (workshop.folder / "paced.py").write_text(PACED)
    lines = [json.dumps({"n": n}) + "\n" for n in range(1, LINES + 1)]
    (workshop.folder / "in.jsonl").write_text("".join(lines))
    policy = {"action": "retry", "attempts": attempts, "initial_delay": "20ms", "max_delay": "50ms"}
    return workshop.write(
        "outage",
        plugins=[{"name": "paced", "path": "paced.py"}],
        source={"type": "jsonl", "config": {"path": "in.jsonl", "batch_rows": 1}},
        batch={"rows": 1},
        pipeline=[
            {"plugin": "paced"},
            {
                "type": "save-to-postgresql",
                "config": {**database.config, "commit_interval": "10ms", "connect_timeout": "1s"},
                "on_error": policy,
                "batch": {"rows": 4},
            },
        ],
    )


def written(database: Database) -> int:
    """Return the number of rows so far; 0 while there is no table."""
    with psycopg.connect(database.dsn) as connection:
        try:
            row = connection.execute('SELECT count(*) FROM "json"').fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    return row[0] if row else 0


def values(database: Database) -> list[int]:
    with psycopg.connect(database.dsn) as connection:
        found = connection.execute('SELECT payload FROM "json"').fetchall()
    return sorted(json.loads(payload)["n"] for (payload,) in found)


class TestOutage:
    def test_a_run_waits_for_the_server(
        self, workshop: Workshop, server: Server, database: Database
    ) -> None:
        """Deliveries are repeated until the server is back; every row is there once."""
        file = write_pipeline(workshop, database, attempts=10_000)
        with running("run", file, "--log-format", "json") as process:
            wait_until(lambda: written(database) > 0, "the first rows")
            server.stop(signal.SIGQUIT)
            (workshop.folder / "open").touch()
            server.start()
            done = finish(process)
        consumer = json.loads(done.err.splitlines()[-1])["stages"][-1]

        assert 0 == done.code, done.err
        assert consumer["retried"] > 0
        assert list(range(1, LINES + 1)) == values(database)

    def test_a_run_that_gives_up_goes_on_later(
        self, workshop: Workshop, server: Server, database: Database
    ) -> None:
        """Repetitions used up: exit 4 and no password; the next run writes the rest."""
        file = write_pipeline(workshop, database, attempts=2)
        with running("run", file) as process:
            wait_until(lambda: written(database) > 0, "the first rows")
            server.stop(signal.SIGQUIT)
            (workshop.folder / "open").touch()
            gave_up = finish(process)
        server.start()
        with running("run", file) as process:
            done = finish(process)

        assert 4 == gave_up.code
        assert gave_up.fault.hint
        assert database.config["password"] not in gave_up.err
        assert 0 == done.code, done.err
        assert list(range(1, LINES + 1)) == values(database)
