"""What a local plugin may use and reach: real processes that want more than they may have."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config.limits import Limits
from cdp_pipeline.errors import ArtifactError, ConfigError, PluginFault
from cdp_pipeline.runtimes.confining import cgroups, landlock
from cdp_pipeline.runtimes.confining.bounds import Machine
from cdp_pipeline.runtimes.confining.cgroups import Controllers
from cdp_pipeline.runtimes.confining.places import available
from cdp_pipeline.runtimes.grpc.launches import Launches
from cdp_pipeline.runtimes.grpc.reaper import reap
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdpplugin import Context
from tests.grpc.conftest import PLUGINS, Workshop, batch, marked, values
from tests.grpc.test_process import wait_until

GREEDY = PLUGINS / "greedy.py"
NO_GROUPS = Machine(controllers=Controllers())
QUICK = RestartPolicy(initial_delay_s=0.01, max_delay_s=0.01)

needs_landlock = pytest.mark.skipif(
    landlock.abi() < landlock.SCOPE_ABI, reason="needs a kernel with Landlock ABI 6 or newer"
)


def needs_group(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        name not in available(), reason=f"needs a {name} cgroup that can be written"
    )


Launch = Callable[..., Any]


@pytest.fixture
async def greedy(workshop: Workshop) -> Launch:
    """Launches a plugin that does what it is told; its terms are those of the pipeline."""

    async def launch(
        asks: Any = None, machine: Machine | None = None, args: Any = (), **terms: Any
    ) -> Any:
        manifest = workshop.manifest(str(GREEDY), *args, permissions=asks or {})
        options = {"machine": machine} if machine else {}
        terms = {"permissions": {}} | terms
        handle = await workshop.launch(manifest, terms, policy=QUICK, **options)
        await handle.start(Context("pipeline", "stage"))
        return handle

    return launch


async def told(handle: Any, word: str, value: Any = None) -> Any:
    """What the plugin answers, or the text of its error."""
    outputs = await handle.process_batch(batch(value, types=[word]))
    return str(outputs.errors[0]) if outputs.errors else values(outputs)[0]


def group_of(handle: Any) -> cgroups.Group:
    group: cgroups.Group = handle._life.current.instance.confinement.group
    return group


class TestMemory:
    @pytest.mark.parametrize(
        ("machine", "mechanism"),
        [
            pytest.param(None, "cgroup", marks=needs_group("memory")),
            (NO_GROUPS, "watchdog"),
        ],
    )
    async def test_beyond_the_limit(
        self, greedy: Launch, machine: Machine | None, mechanism: str
    ) -> None:
        """A message that makes its plugin exceed `limits.memory` is an error of its row alone.

        Its neighbours pass, and the next batch too.
        """
        handle = await greedy(machine=machine, limits=Limits(memory=100_000_000))
        assert mechanism in handle.confinement["memory"]
        outputs = await handle.process_batch(
            batch("a", 1000, "b", types=["Privileges", "Allocate", "Privileges"])
        )
        assert {1: "plugin.memory_exceeded"} == {
            row: error.code for row, error in outputs.errors.items()
        }
        assert "exceeded `limits.memory` (100 MB)" in str(outputs.errors[1])
        assert "limits.memory" in outputs.errors[1].hint
        assert 10 == await told(handle, "Allocate", 10)

    @pytest.mark.parametrize(
        "machine", [pytest.param(None, marks=needs_group("memory")), NO_GROUPS]
    )
    async def test_before_it_is_ready(self, greedy: Launch, machine: Machine | None) -> None:
        """A plugin that needs more than it may have to start says so where it fails."""
        with pytest.raises(PluginFault, match="exceeded") as caught:
            await greedy(machine=machine, args=["at-start"], limits=Limits(memory=100_000_000))
        assert "plugin.memory_exceeded" == caught.value.code

    @needs_group("memory")
    async def test_of_a_child_alone(self, greedy: Launch) -> None:
        """A plugin survives that a child of its own, larger than itself, is killed at the limit."""
        handle = await greedy(limits=Limits(memory=100_000_000))
        code = "b = bytearray(b'x') * (300 << 20); input()"
        said = await told(handle, "Run", [sys.executable, "-I", "-S", "-c", code])
        assert "SIGKILL" in said
        assert False is await told(handle, "Privileges")

    async def test_of_all_its_processes(self, greedy: Launch) -> None:
        """The watchdog counts what a plugin's children hold as well."""
        handle = await greedy(machine=NO_GROUPS, limits=Limits(memory=100_000_000))
        code = "b = bytearray(b'x') * (300 << 20); input()"
        outputs = await handle.process_batch(
            batch([sys.executable, "-I", "-S", "-c", code], types=["Run"])
        )
        assert "plugin.memory_exceeded" == outputs.errors[0].code


class TestCpu:
    @needs_group("cpu")
    async def test_is_half_a_core(self, greedy: Launch) -> None:
        """Two processes that spin with `cpu: 0.5` use half of the time, by the group's accounting.

        Never a fifth more; and hardly less than their share of each period in which they were held
        back, however much of the machine others wanted.
        """
        handle = await greedy(limits=Limits(cpu=0.5))
        assert "cgroup" in handle.confinement["cpu"]
        group = group_of(handle)
        used_s, held_back, begun = _cpu_s(group), _times_held_back(group), time.monotonic()
        await told(handle, "Spin", 5)
        passed_s = time.monotonic() - begun
        used_s, held_back = _cpu_s(group) - used_s, _times_held_back(group) - held_back
        assert used_s <= 1.2 * 0.5 * passed_s
        assert held_back > 0
        assert used_s >= 0.8 * 0.5 * held_back * 0.1  # a period is a tenth of a second

    async def test_without_a_group(self, greedy: Launch) -> None:
        """Where there is no group to hold it, it is said that nothing does."""
        handle = await greedy(machine=NO_GROUPS, limits=Limits(cpu=0.5))
        assert "not enforced" == handle.confinement["cpu"]


def _cpu_s(group: cgroups.Group) -> float:
    used_s = group.cpu_s
    assert used_s is not None
    return used_s


def _times_held_back(group: cgroups.Group) -> int:
    lines = (group.folders["cpu"] / "cpu.stat").read_text().splitlines()
    return int(dict(line.split() for line in lines)["nr_throttled"])


class TestPids:
    @needs_group("pids")
    async def test_of_a_fork_bomb(self, greedy: Launch, workshop: Workshop) -> None:
        """A fork bomb with `pids: 32` stops at the limit; all of it ends with the plugin.

        The plugin goes on to answer, and no session of its own saves any of its processes.
        """
        handle = await greedy(limits=Limits(pids=32))
        folder = group_of(handle).folders["pids"]
        await told(handle, "Bomb")
        async with asyncio.timeout(20):
            while _number(folder / "pids.current") < 32:
                await asyncio.sleep(0.01)
        assert "False" == str(await told(handle, "Privileges"))
        assert _number(folder / "pids.current") <= 32
        await handle.stop()
        assert [] == marked(str(workshop.runtime))
        assert not folder.exists()

    async def test_without_a_group(self, greedy: Launch) -> None:
        """For root nothing bounds them without a group, and it is said.

        For others the kernel counts all processes of the user.
        """
        handle = await greedy(machine=NO_GROUPS, limits=Limits(pids=1000))
        expected = "not enforced" if os.geteuid() == 0 else "RLIMIT_NPROC"
        assert expected in handle.confinement["pids"]


def _number(file: Path) -> int:
    return int(file.read_text())


class TestFiles:
    async def test_beyond_the_limit(self, greedy: Launch) -> None:
        """With `files: 64` a plugin that opens more gets EMFILE, and goes on."""
        handle = await greedy(limits=Limits(files=64))
        number, opened = await told(handle, "Open")
        assert 24 == number
        assert 0 < opened < 64
        assert "RLIMIT_NOFILE" == handle.confinement["files"]


@needs_landlock
class TestFileAccess:
    @pytest.mark.parametrize("path", ["/etc/shadow", "/proc/1/environ", "/root/.profile"])
    async def test_to_what_is_nobodys_business(self, greedy: Launch, path: str) -> None:
        """The system's secrets and the user's own files are closed, also where it is root."""
        handle = await greedy()
        assert "Landlock" in handle.confinement["file access"]
        assert "Permission denied" in await told(handle, "Read", path)

    async def test_to_what_is_granted(self, greedy: Launch, tmp_path: Path) -> None:
        """A path is open where manifest and pipeline both name it, to write where both say so."""
        for name in ("both", "asked", "given"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "note").write_text(name)
        asks = [
            {"path": str(tmp_path / "both"), "mode": "write"},
            {"path": str(tmp_path / "asked"), "mode": "write"},
        ]
        gives = [{"path": str(tmp_path / "both")}, {"path": str(tmp_path / "given")}]
        handle = await greedy({"files": asks}, permissions={"files": gives})
        assert "both" == await told(handle, "Read", str(tmp_path / "both/note"))
        for name in ("asked", "given"):
            assert "denied" in await told(handle, "Read", str(tmp_path / name / "note"))
        assert "denied" in await told(handle, "Write", str(tmp_path / "both/note"))

    async def test_for_writing(self, greedy: Launch, tmp_path: Path) -> None:
        """What both grant for writing can be written."""
        grant = {"path": str(tmp_path), "mode": "write"}
        handle = await greedy({"files": [grant]}, permissions={"files": [grant]})
        await told(handle, "Write", str(tmp_path / "new"))
        assert "written" == (tmp_path / "new").read_text()

    async def test_to_a_granted_path_that_is_not_there(
        self, greedy: Launch, tmp_path: Path
    ) -> None:
        """A grant of what is not there is refused, before anything is started."""
        grant = {"path": str(tmp_path / "missing")}
        with pytest.raises(ConfigError) as caught:
            await greedy({"files": [grant]}, permissions={"files": [grant]})
        assert "plugin.grant_invalid" == caught.value.code

    async def test_to_its_own_folder(self, greedy: Launch, workshop: Workshop) -> None:
        """A plugin reads its own folder and does not write there.

        It has a place for temporary files, which is gone after it.
        """
        handle = await greedy()
        own = await told(handle, "Run", ["pwd"])
        assert "raw" in await told(handle, "Read", f"{own}/plugin.yaml")
        assert "denied" in await told(handle, "Write", f"{own}/new")
        name, text = await told(handle, "Temporary", "kept")
        assert "kept" == text
        assert str(workshop.runtime) in name
        await handle.stop()
        assert not Path(name).exists()

    async def test_of_what_it_starts(self, greedy: Launch) -> None:
        """What a plugin starts reaches no more than it does."""
        handle = await greedy()
        assert "non-zero exit status" in await told(handle, "Run", ["cat", "/etc/shadow"])
        assert "root" == await told(handle, "Run", ["sh", "-c", "head -c 4 /etc/passwd"])

    async def test_with_the_sandbox_off(self, greedy: Launch, tmp_path: Path) -> None:
        """`sandbox: off` confines nothing, and the status says so."""
        (tmp_path / "note").write_text("open")
        handle = await greedy(sandbox="off")
        assert "open" == await told(handle, "Read", str(tmp_path / "note"))
        assert "not confined" == handle.confinement["file access"]

    async def test_privileges(self, greedy: Launch) -> None:
        """Nothing that a plugin executes gains privileges, root's has none, it ends no keeper."""
        handle = await greedy()
        assert False is await told(handle, "Privileges")
        facts = dict(
            line.split(":\t")
            for line in (await told(handle, "Read", "/proc/self/status")).splitlines()
        )
        assert int(facts["CapEff"], 16) in (0, 2)  # 2: root may read other users' files
        assert "not permitted" in await told(handle, "End")


@needs_landlock
class TestNetwork:
    @pytest.fixture
    def address(self) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()

    async def test_without_a_grant(self, greedy: Launch, address: Any) -> None:
        """A plugin opens no connection unless manifest and pipeline both grant the network."""
        for asks, gives in ((False, False), (True, False), (False, True)):
            handle = await greedy({"network": asks}, permissions={"network": gives})
            assert "Permission denied" in await told(handle, "Connect", address)

    async def test_with_the_grant(self, greedy: Launch, address: Any) -> None:
        """Granted by both, it does."""
        handle = await greedy({"network": True}, permissions={"network": True})
        assert "sent" == await told(handle, "Connect", address)
        assert "listens" == await told(handle, "Listen", 0)  # as gRPC tries whether there is IPv6
        assert "may connect" in handle.confinement["TCP"]
        assert "not confined" == handle.confinement["UDP"]

    async def test_to_listen(self, greedy: Launch) -> None:
        """A plugin listens on its own port and on no other."""
        handle = await greedy()
        assert "listens" == await told(handle, "Listen")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        assert "Permission denied" in await told(handle, "Listen", port)


class TestRequired:
    async def test_without_landlock(self, greedy: Launch, workshop: Workshop) -> None:
        """`sandbox: required` starts nothing where the kernel cannot confine files and TCP."""
        for version in (0, landlock.TCP_ABI - 1):
            with pytest.raises(ArtifactError) as caught:
                await greedy(machine=Machine(landlock=version), sandbox="required")
            assert "plugin.not_confined" == caught.value.code
        assert [] == marked(str(workshop.runtime))

    @needs_landlock
    async def test_with_landlock(self, greedy: Launch) -> None:
        """It starts where the kernel can."""
        handle = await greedy(sandbox="required")
        assert "denied" in await told(handle, "Read", "/etc/shadow")

    async def test_auto_without_landlock(self, greedy: Launch) -> None:
        """`sandbox: auto` goes on without, says so, and still lets nothing gain privileges."""
        handle = await greedy(machine=Machine(landlock=0))
        assert "not confined" == handle.confinement["file access"]
        assert False is await told(handle, "Privileges")


HOST = """
import asyncio, sys
from pathlib import Path
from cdp_pipeline.config.limits import Limits
from tests.grpc.conftest import Workshop
from tests.grpc.test_confinement import GREEDY, group_of

async def main():
    host = Workshop(Path(sys.argv[1]), Path(sys.argv[2]))
    limits = Limits(memory=200_000_000, cpu=1, pids=100)
    handle = await host.launch(host.manifest(str(GREEDY)), {"limits": limits})
    print(*group_of(handle).paths, handle._life.current.instance.process.keeper.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class TestHostsDeath:
    @needs_group("pids")
    @pytest.mark.parametrize("keeper_first", [False, True])
    def test_leaves_no_group_to_the_next(
        self, runtime: Path, tmp_path: Path, keeper_first: bool
    ) -> None:
        """The next host's reaper ends what is in a dead host's groups, and removes them."""
        root = Path(__file__).resolve().parents[2]
        host = subprocess.Popen(
            [sys.executable, "-c", HOST, str(runtime), str(tmp_path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(root)},
            text=True,
        )
        assert host.stdout is not None
        *paths, keeper = host.stdout.readline().split()
        assert len(paths) >= 1
        assert all(Path(path).is_dir() for path in paths)
        if keeper_first:
            os.kill(int(keeper), 9)
        host.kill()
        host.wait()
        host.stdout.close()
        reap(Launches({"XDG_RUNTIME_DIR": str(runtime)}))
        assert not any(Path(path).exists() for path in paths)
        wait_until(lambda: not marked(str(runtime)))
        assert [] == list((runtime / "cdp").iterdir())

    async def test_of_a_stopped_plugin_nothing_is_left(self, greedy: Launch) -> None:
        """A plugin's groups are gone when it has stopped."""
        handle = await greedy(limits=Limits(memory=200_000_000, cpu=1, pids=100))
        paths = group_of(handle).paths
        await handle.stop()
        assert not any(Path(path).exists() for path in paths)
