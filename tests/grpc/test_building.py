"""Plugins are built before they run: once, and again when their files have changed."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.artifacts.manifest import Manifest
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.runtimes.building.build_command import build_environment
from cdp_pipeline.runtimes.building.builder import Builder
from cdp_pipeline.runtimes.building.exclusive import exclusively
from cdpplugin import Context
from tests.grpc.conftest import RAW, Lines, Workshop, batch, marked, values


class Yard:
    """A place to build in."""

    def __init__(self, workshop: Workshop) -> None:
        self.log = Lines()
        self.cache = workshop.folder / "cache"
        self.environ = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "hush"}
        self.builder = Builder(self.cache, self.environ, lambda reference: self.log)


@pytest.fixture
def yard(workshop: Workshop) -> Yard:
    return Yard(workshop)


def compiled(workshop: Workshop, *build: str) -> Manifest:
    """A plugin whose build copies its source to its executable."""
    command = build or ("sh", "-c", "cp source.txt out.sh; echo built; env")
    manifest = workshop.manifest("./out.sh", build=list(command))
    (manifest.folder / "source.txt").write_text("#!/bin/sh\n")
    return manifest


class TestBuild:
    async def test_once(self, workshop: Workshop, yard: Yard) -> None:
        """An unbuilt plugin is built, and then not again."""
        manifest = compiled(workshop)
        assert not yard.builder.is_built(manifest)
        assert await yard.builder.ensure(manifest)
        assert (manifest.folder / "out.sh").is_file()
        assert "built" in yard.log.messages
        assert not await yard.builder.ensure(manifest)

    async def test_after_a_change(self, workshop: Workshop, yard: Yard) -> None:
        """A plugin whose source has changed is built again; so is one whose output is gone."""
        manifest = compiled(workshop)
        await yard.builder.ensure(manifest)
        (manifest.folder / "source.txt").write_text("#!/bin/sh\n# changed\n")
        assert await yard.builder.ensure(manifest)
        (manifest.folder / "out.sh").unlink()
        assert await yard.builder.ensure(manifest)
        (manifest.folder / "more.txt").write_text("")
        assert await yard.builder.ensure(manifest)

    async def test_by_somebody_else(self, workshop: Workshop, yard: Yard) -> None:
        """What somebody else built is built once more: it may lack what cannot be seen here."""
        manifest = compiled(workshop)
        (manifest.folder / "out.sh").write_text("#!/bin/sh\n")
        assert not yard.builder.is_built(manifest)
        assert await yard.builder.ensure(manifest)
        assert not await yard.builder.ensure(manifest)

    async def test_sees_no_secret(self, workshop: Workshop, yard: Yard) -> None:
        """A build sees what tools need of the environment, and no secret."""
        await yard.builder.ensure(compiled(workshop))
        assert not any("hush" in message for message in yard.log.messages)

    @pytest.mark.parametrize(
        ("name", "is_seen"),
        [
            ("GOPROXY", True),
            ("GOOGLE_API_KEY", False),
            ("CCTV", False),
            ("CC", True),
            ("npm_config_cache", False),
            ("NPM_CONFIG_CACHE", True),
            ("NPM_TOKEN", False),
            ("CARGO_REGISTRY_TOKEN", False),
            ("https_proxy", True),
            ("UV_INDEX_PRIVATE_PASSWORD", False),
        ],
    )
    def test_sees_what_tools_need(self, name: str, is_seen: bool) -> None:
        """Variables are passed on by what they are for; what looks like a secret never is."""
        assert is_seen == (name in build_environment({name: "x"}))

    async def test_says_what_it_withholds(self, workshop: Workshop, yard: Yard) -> None:
        """A variable of a tool that looks like a secret is named: the build may want it."""
        builder = Builder(yard.cache, {**yard.environ, "NPM_TOKEN": "hush"}, lambda _: yard.log)
        await builder.ensure(compiled(workshop))
        assert {"withheld": ["NPM_TOKEN"]} in [fields for _, _, fields in yard.log.lines]

    async def test_has_no_input(self, workshop: Workshop, yard: Yard) -> None:
        """A build that asks a question gets the end of its input, and does not wait for ever."""
        await yard.builder.ensure(compiled(workshop, "sh", "-c", "cat; cp source.txt out.sh"))

    @pytest.mark.parametrize("how", ["cancelled", "killed"])
    async def test_leaves_nothing(self, workshop: Workshop, yard: Yard, how: str) -> None:
        """What a build has started ends when it is cancelled, and when its host is killed."""
        mark = f"build-{workshop.folder.name}"
        script = f"{BUSY} & {BUSY} & wait"
        manifest = compiled(workshop, "env", f"MARK={mark}", "sh", "-c", script)
        if how == "cancelled":
            building = asyncio.create_task(yard.builder.ensure(manifest))
            await until(lambda: len(marked(mark)) >= 3)
            building.cancel()
            with pytest.raises(asyncio.CancelledError):
                await building
        else:
            with Contest(manifest, yard.cache) as contest:
                await until(lambda: len(marked(mark)) >= 3)
                contest.kill()
        await until(lambda: not marked(mark))

    async def test_that_fails(self, workshop: Workshop, yard: Yard) -> None:
        """A build that fails says with which status, and what it said last."""
        manifest = compiled(workshop, "sh", "-c", "echo cannot find module >&2; exit 2")
        with pytest.raises(ArtifactError) as caught:
            await yard.builder.ensure(manifest)
        assert "plugin.build_failed" == caught.value.code
        assert "exited with status 2" in str(caught.value)
        assert "cannot find module" in str(caught.value)

    async def test_that_cannot_be_run(self, workshop: Workshop, yard: Yard) -> None:
        """A build command that is nowhere is named, started by a shell or not, and the way out."""
        for command in (["no-such-tool"], ["sh", "-c", "no-such-tool"]):
            with pytest.raises(ArtifactError, match="no-such-tool") as caught:
                await yard.builder.ensure(compiled(workshop, *command))
            assert "plugin.build_failed" == caught.value.code
            assert "install what is missing, `flowctl doctor` tells how" in str(caught.value.hint)

    async def test_of_a_command_on_path(self, workshop: Workshop, yard: Yard) -> None:
        """Of a plugin that an interpreter runs, the file that it names is what is built."""
        manifest = workshop.manifest(
            "sh", "dist/main.sh", build=["sh", "-c", "mkdir dist; :>dist/main.sh"]
        )
        assert not yard.builder.is_built(manifest)
        assert await yard.builder.ensure(manifest)
        assert yard.builder.is_built(manifest)


BUSY = "sh -c 'trap : TERM; while :; do sleep 1; done'"


async def until(holds: Callable[[], bool], within_s: float = 30.0) -> None:
    """Look again and again until *holds* does."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.02)


BUILD = """
mkdir busy || { echo two at once; exit 9; }
echo once >> ../builds.log
n=0; while [ ! -e ../go ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n+1)); done
cp source.txt out.sh
rmdir busy
"""

HOST = """
import asyncio, os, sys
from pathlib import Path
from cdp_pipeline.artifacts.manifest import load_manifest
from cdp_pipeline.runtimes.building.build_command import build_environment
from cdp_pipeline.runtimes.building.builder import Builder

class Told:
    def __getattr__(self, level):
        return lambda message, **fields: print(message, flush=True)

builder = Builder(Path(sys.argv[2]), os.environ, lambda reference: Told())
done = asyncio.run(builder.ensure(load_manifest(Path(sys.argv[1]))))
print("it was built here" if done else "it was built there")
"""


class Contest:
    """Hosts that want the same plugin, while its build is held up."""

    def __init__(self, manifest: Manifest, *caches: Path) -> None:
        self._folder = manifest.folder
        self.hosts = [
            subprocess.Popen(
                [sys.executable, "-c", HOST, str(manifest.folder), str(cache)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for cache in caches
        ]

    def __enter__(self) -> Contest:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        for host in self.hosts:
            host.kill()
            host.wait()
            assert host.stdout is not None
            host.stdout.close()

    def told(self) -> set[str]:
        """What each host says first."""
        return {host.stdout.readline().strip() for host in self.hosts if host.stdout}

    def results(self) -> list[str]:
        """Let the build go on; return the last line of each host."""
        (self._folder.parent / "go").touch()
        said = [host.communicate(timeout=60)[0].splitlines()[-1] for host in self.hosts]
        assert [0, 0] == [host.returncode for host in self.hosts]
        return sorted(said)

    @property
    def builds(self) -> int:
        return len((self._folder.parent / "builds.log").read_text().splitlines())


class TestTwoHosts:
    def test_build_once(self, workshop: Workshop, yard: Yard) -> None:
        """Of two hosts that want an unbuilt plugin one builds it; the other waits, and uses it."""
        contest = Contest(compiled(workshop, "sh", "-c", BUILD), yard.cache, yard.cache)
        assert {"building the plugin", "waiting: somebody else is building the plugin"} == (
            contest.told()
        )
        assert ["it was built here", "it was built there"] == contest.results()
        assert 1 == contest.builds

    def test_with_caches_of_their_own(self, workshop: Workshop, tmp_path: Path) -> None:
        """Hosts that share nothing but the folder never build in it at the same time."""
        caches = (tmp_path / "one", tmp_path / "other")
        contest = Contest(compiled(workshop, "sh", "-c", BUILD), *caches)
        assert 2 == len(contest.told())
        assert ["it was built here"] * 2 == contest.results()
        assert 2 == contest.builds

    async def test_one_that_waits_can_be_stopped(self, workshop: Workshop, yard: Yard) -> None:
        """A host that waits for another's build ends at once when it is told to."""
        manifest = compiled(workshop, "sh", "-c", BUILD)
        async with exclusively(manifest.folder):
            waiting = asyncio.create_task(yard.builder.ensure(manifest))
            while not yard.log.messages:
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        (manifest.folder.parent / "go").touch()
        assert await yard.builder.ensure(manifest)


async def test_a_file_system_that_locks_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a folder cannot be locked, as on NFS, a file elsewhere is held in its place."""
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "no folders here")
        real(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", flock)
    instead, waits = tmp_path / "held", []
    with pytest.raises(OSError, match="no folders here"):
        async with exclusively(tmp_path):
            pass
    async with exclusively(tmp_path, instead=instead):
        second = asyncio.create_task(hold_and_tell(tmp_path, instead, waits))
        await until(lambda: waits == ["waiting"])
    await second
    assert ["waiting", "held"] == waits


async def hold_and_tell(path: Path, instead: Path, told: list[str]) -> None:
    async with exclusively(path, instead=instead, on_wait=lambda: told.append("waiting")):
        told.append("held")


class TestPythonEnvironment:
    def test_is_shared_by_lock_file(self, workshop: Workshop, yard: Yard) -> None:
        """Plugins with the same lock file share an environment, in the cache."""
        manifests = [workshop.manifest(str(RAW), "plain") for _ in range(3)]
        for manifest, text in zip(manifests, ("six==1.17.0", "six==1.17.0", "six"), strict=True):
            (manifest.folder / "requirements.txt").write_text(text)
        same, too, other = (yard.builder.environment_of(m) for m in manifests)
        assert None not in (same, too, other)
        assert same.folder == too.folder != other.folder
        assert same.folder.is_relative_to(yard.cache / "envs")
        assert not yard.builder.is_built(manifests[0])

    async def test_is_the_plugins_own(self, workshop: Workshop) -> None:
        """A plugin runs in its environment: its packages are there, the host's are not."""
        manifest = workshop.manifest("main.py")
        (manifest.folder / "requirements.txt").write_text("six==1.16.0\n")
        (manifest.folder / "main.py").write_text(MAIN)
        for name in ("pip.py", "venv.py"):  # names that a plugin may use as well
            (manifest.folder / name).write_text("raise SystemExit('not the one you want')")
        if not reaches_an_index():
            pytest.skip("pip reaches no package index")
        handle = await workshop.launch(manifest, {}, start_timeout_s=60.0)
        await handle.start(Context())
        [answer] = values(await handle.process_batch(batch(1)))
        assert {"six": "1.16.0", "duckdb": False} == {k: answer[k] for k in ("six", "duckdb")}
        assert str(workshop.folder / "cache" / "envs") in answer["prefix"]
        assert ["main.py", "pip.py", "plugin.yaml", "requirements.txt", "venv.py"] == sorted(
            path.name for path in manifest.folder.iterdir() if path.name != "__pycache__"
        )
        assert json.dumps(answer)


MAIN = """
import importlib.util, sys
import six
from cdpplugin import Message, PluginMetadata
from cdpplugin.serving import serve_processor

def answer(message):
    held = importlib.util.find_spec("duckdb") is not None
    return Message(
        type="A", payload={"six": six.__version__, "duckdb": held, "prefix": sys.prefix}
    )

serve_processor(PluginMetadata("raw", "1.0.0"), answer)
"""


def reaches_an_index() -> bool:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", "/dev/null/x"]
    answer = subprocess.run(
        [*command, "six==1.16.0"], capture_output=True, text=True, timeout=60, check=False
    )
    return "No matching distribution" not in answer.stderr


assert Path
