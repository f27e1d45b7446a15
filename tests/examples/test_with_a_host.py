"""The example plugins do what they are there for, run as a user runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from cdp_pipeline.engine.checkpoint import CheckpointStore
from cdp_pipeline.testing.launchers import Launchers, target_of
from cdpplugin import Batch, Context, Outputs
from tests._flowctl import Finished, flowctl, running, start, wait_until
from tests._postgres import Database
from tests._workshop import Workshop
from tests.examples._horizon import Horizon
from tests.examples.conftest import RECORDS, require

BUILDS_BOUND_S = 500.0
"""The first run installs scikit-learn and packages of npm, and compiles in four languages."""
LANGUAGES = ["go", "python"]
NEW = [
    "dedupe-c",
    *(f"{kind}-{each}" for kind in ("http-source", "postgres-consumer") for each in LANGUAGES),
]


@pytest.fixture
def environ(caches: Mapping[str, str], postgres: Database, horizon: Horizon) -> Mapping[str, str]:
    """The variables that cases and samples require, and the caches that these tests share."""
    return {**caches, "DATABASE_URL": postgres.url, "HTTP_SOURCE_URL": horizon.url}


def finished(process: subprocess.Popen[bytes]) -> Finished:
    """Wait for a command that may have much to build."""
    out, err = process.communicate(timeout=BUILDS_BOUND_S)
    return Finished(process.returncode, out.decode(), err.decode())


def test_every_case_passes(plugins: Path, environ: Mapping[str, str]) -> None:
    """`flowctl test examples/plugins` tries a case of each example, and leaves none out."""
    require("go", "node", "npm", "cargo")
    done = finished(start("test", "--output", "json", plugins, env=environ))
    assert 0 == done.code, done.out + done.err
    results = json.loads(done.out)
    assert [] == [each["name"] for each in results if not each["passed"]]
    tried = {Path(each["file"]).parent.name for each in results}
    examples = {
        each.name
        for each in plugins.iterdir()
        if each.is_dir() and not each.name.startswith("reference-")
    }
    assert examples | {plugins.name} == tried


def test_without_servers_nothing_fails(plugins: Path, caches: Mapping[str, str]) -> None:
    """Where there is no server, its cases are skipped with the reason, and that is no failure."""
    require("go")
    folders = [plugins / "http-source-go", plugins / "postgres-consumer-go"]
    done = finished(
        start("test", *folders, env={**caches, "DATABASE_URL": "", "HTTP_SOURCE_URL": ""})
    )
    assert 0 == done.code, done.out + done.err
    assert "`DATABASE_URL` is not set" in done.out
    assert "`HTTP_SOURCE_URL` is not set" in done.out


@pytest.mark.parametrize("name", NEW)
def test_it_conforms(name: str, plugins: Path, environ: Mapping[str, str]) -> None:
    """A plugin keeps every rule that holds for its kind."""
    if name.endswith("-go"):
        require("go")
    done = finished(start("plugin", "conformance", "--grant", plugins / name, env=environ))
    assert 0 == done.code, done.out + done.err
    assert " 0 failed" in done.out


def pipeline(workshop: Workshop, plugins: Path, language: str, horizon: Horizon, dsn: str) -> Path:
    """Write a pipeline from a server of pages to a table, both plugins of one language."""
    names = ("http-source", "postgres-consumer")
    return workshop.write(
        f"pages-{language}",
        plugins=[
            {
                "name": name,
                "path": str(plugins / f"{name}-{language}"),
                "permissions": {"network": True},
            }
            for name in names
        ],
        source={
            "plugin": "http-source",
            "config": {"url": horizon.url, "type": "payment", "limit": 10, "follow": False},
        },
        batch={"rows": 10},
        pipeline=[{"plugin": "postgres-consumer", "config": {"dsn": dsn, "table": "payments"}}],
    )


@pytest.mark.parametrize("language", LANGUAGES)
class TestHttpToPostgres:
    @pytest.fixture(autouse=True)
    def _tools(self, language: str) -> None:
        if language == "go":
            require("go")

    @pytest.fixture(autouse=True)
    def _built(self, language: str, plugins: Path, caches: Mapping[str, str]) -> None:
        """Build both plugins first, so that no bound on a run covers a build."""
        for kind in ("http-source", "postgres-consumer"):
            done = finished(start("plugin", "build", plugins / f"{kind}-{language}", env=caches))
            assert 0 == done.code, done.err

    def test_killed_in_the_middle(
        self,
        language: str,
        plugins: Path,
        caches: Mapping[str, str],
        workshop: Workshop,
        horizon: Horizon,
        postgres: Database,
    ) -> None:
        """A run that was killed goes on where it was; every record is there, and once."""
        file = pipeline(workshop, plugins, language, horizon, postgres.url)
        checkpoint = CheckpointStore(workshop.state(f"pages-{language}") / "checkpoint.json")
        horizon.held_after = RECORDS // 2

        def position() -> int:
            held = checkpoint.load()
            return held.position if held else -1

        with running("run", file, cwd=workshop.folder, env=caches) as process:
            wait_until(lambda: position() >= 10, "a durable page")
            process.send_signal(signal.SIGKILL)
            process.wait()
        pages = len(horizon.asked)
        assert 10 <= int(postgres.psql("SELECT count(*) FROM payments")) <= RECORDS // 2
        horizon.released.set()
        done = flowctl("run", file, cwd=workshop.folder, env=caches)

        assert 0 == done.code, done.err
        assert int(horizon.asked[pages]) >= 10_000
        found = postgres.psql(
            "SELECT count(*), min(position), max(position), bool_and("
            "payload = jsonb_build_object('n', position, 'paging_token', (1000 * position)::text)"
            " AND id = 'payment:' || 1000 * position AND type = 'payment') FROM payments"
        )
        assert f"{RECORDS}|1|{RECORDS}|t" == found

    def test_wrong_password(
        self,
        language: str,
        plugins: Path,
        caches: Mapping[str, str],
        workshop: Workshop,
        horizon: Horizon,
        postgres: Database,
    ) -> None:
        """A login that the server refuses ends the run at its start; no password is shown."""
        dsn = f"postgresql://postgres:not-it-at-all@127.0.0.1:{postgres.server.port}/postgres"
        file = pipeline(workshop, plugins, language, horizon, dsn)
        done = flowctl("run", file, cwd=workshop.folder, env=caches)

        assert 0 != done.code
        assert "postgres.login_refused" in done.err
        assert "not-it-at-all" not in done.err
        assert [] == horizon.asked

    def test_a_server_that_comes_late(
        self,
        language: str,
        plugins: Path,
        caches: Mapping[str, str],
        workshop: Workshop,
        horizon: Horizon,
        postgres: Database,
    ) -> None:
        """A database that is away at the start is waited for."""
        file = pipeline(workshop, plugins, language, horizon, postgres.url)
        postgres.server.stop()
        try:
            with running("run", file, cwd=workshop.folder, env=caches) as process:
                wait_until(lambda: horizon.asked, "a first page")
                postgres.server.start()
                done = finished(process)
        finally:
            if not postgres.server.is_running:
                postgres.server.start()

        assert 0 == done.code, done.err
        assert str(RECORDS) == postgres.psql("SELECT count(*) FROM payments")


def test_dedupe_hands_its_window_over(plugins: Path, tmp_path: Path) -> None:
    """What replaces the plugin leaves out what that has seen, also with a smaller window."""
    launchers = Launchers(os.environ, tmp_path)

    def batch(*names: str) -> Batch:
        return Batch.of("T", [{"hash": name} for name in names], ids=list(names))

    async def passed() -> list[list[str]]:
        subject = await launchers.subject(target_of(str(plugins / "dedupe-c")))
        found = []
        async with subject.launch() as old, subject.launch() as new:
            for handle, window in ((old, 100_000), (new, 3)):
                await handle.configure({"key": "hash", "window": window})
                await handle.start(Context("pipeline", "stage"))
            found.append(ids(await old.process_batch(batch(*"abcda"))))
            await new.import_state(await old.export_state())
            found.append(ids(await new.process_batch(batch(*"dcbxa"))))
        return found

    assert [["a", "b", "c", "d"], ["x", "a"]] == asyncio.run(passed())


def ids(outputs: Outputs) -> list[str]:
    """Return the ids of what passed."""
    return [each for part in outputs.parts for each in part.batch.ids]
