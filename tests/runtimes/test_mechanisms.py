"""What bounds a plugin is said truly, whatever executes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdp_pipeline.config.limits import Limits
from cdp_pipeline.runtimes import native
from cdp_pipeline.runtimes.confining import inside, watching
from cdp_pipeline.runtimes.confining.bounds import Bounds, Machine, tasks_of
from cdp_pipeline.runtimes.confining.cgroups import Controllers, Group, remove
from cdp_pipeline.runtimes.confining.mechanisms import is_confined, mechanisms, unenforced
from cdp_pipeline.runtimes.confining.places import available
from cdp_pipeline.runtimes.confining.reach import rules_for
from cdp_pipeline.runtimes.grpc.confinement import HELD, REACH, confined
from cdpplugin import processor

ALL = Limits(memory=1 << 20, cpu=0.5, timeout=1.0, pids=9, files=9, fuel=10**6, output=99)


@processor("mine", "1.0.0")
def mine(message):
    return message


class TestOfEachRuntime:
    def test_native(self) -> None:
        """Nothing holds the limits of a plugin in the host's process, and nothing confines it."""
        found = native.handle(mine, limits=ALL).confinement
        asked = {name for name, value in ALL if value is not None}
        assert asked == set(unenforced(found))
        assert not is_confined(found)

    def test_native_without_limits(self) -> None:
        """Where no limit is set there is none to warn of."""
        assert [] == unenforced(native.handle(mine).confinement)

    def test_container(self) -> None:
        """Docker holds what it is handed: each limit that is called its own is an argument."""
        found = mechanisms(ALL, HELD, REACH)
        assert ["fuel", "output"] == unenforced(found)
        assert is_confined(found)
        options = confined(ALL)
        assert (1 << 20, 9) == (options["mem_limit"], options["pids_limit"])
        assert [{"Name": "nofile", "Soft": 9, "Hard": 9}] == options["ulimits"]

    def test_local_with_nothing_to_hold_it(self) -> None:
        """Without groups and Landlock there remain watchdog, rlimit and deadline."""
        machine = Machine(controllers=Controllers(), landlock=0)
        found = Bounds(ALL, "auto", machine, may_connect=False).mechanisms
        assert "watchdog" == found["memory"]
        assert "RLIMIT_NOFILE" == found["files"]
        assert "deadline" == found["timeout"]
        assert {"cpu", "fuel", "output"} <= set(unenforced(found))
        assert not is_confined(found)
        assert "no-new-privileges" in found["privileges"]

    @pytest.mark.parametrize("version", range(1, 8))
    def test_local_by_version(self, version: int) -> None:
        """What an older Landlock cannot confine is called so."""
        machine = Machine(controllers=Controllers(), landlock=version)
        found = Bounds(Limits(), "auto", machine, may_connect=False).mechanisms
        assert is_confined(found)
        assert (version >= 4) == (found["TCP"] != "not confined")
        assert (version >= 6) == (found["signals"] != "not confined")
        assert "not confined" == found["UDP"]


class TestGroupsOfVersion2:
    def test_what_is_written(self, tmp_path: Path) -> None:
        """Bounds are written as cgroup-v2.rst has them; an absent swap controller is no fault."""
        group = Controllers(2, dict.fromkeys(("memory", "cpu", "pids"), tmp_path)).group(
            "one", ["memory", "cpu", "pids"]
        )
        group.make(memory=100_000_000, cpu=0.5, pids=32)
        folder = tmp_path / "cdp-one"
        assert [str(folder)] == group.paths
        assert "100000000" == (folder / "memory.max").read_text()
        assert "50000 100000" == (folder / "cpu.max").read_text()
        assert "32" == (folder / "pids.max").read_text()

    def test_what_is_read(self, tmp_path: Path) -> None:
        """Why it ended and what it used are read from the group's own accounting."""
        group = Group(2, {"memory": tmp_path, "cpu": tmp_path})
        assert not group.ran_out_of_memory
        (tmp_path / "memory.events").write_text(
            "low 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 1\n"
        )
        (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
        assert group.ran_out_of_memory
        (tmp_path / "memory.events").write_text("max 0\noom_kill 1\n")
        assert not group.ran_out_of_memory  # it was killed for the machine's memory
        assert 2.5 == group.cpu_s


class TestRemoval:
    def test_of_what_is_no_group(self, tmp_path: Path) -> None:
        """Whatever a record names, only folders that are groups of this program's are removed."""
        folder = tmp_path / "cdp-one"
        folder.mkdir()
        assert 0 == remove([str(folder), str(tmp_path), "/sys/fs/cgroup"])
        assert folder.exists()

    def test_of_one_with_processes(self) -> None:
        """What is in a group when it is removed is killed."""
        controllers = available()
        if "pids" not in controllers:
            pytest.skip("needs a pids cgroup that can be written")
        group = controllers.group(f"test-{os.getpid()}", ["pids"])
        group.make(memory=None, cpu=None, pids=10)
        code = "import os; os.fork() or os.execvp('sleep', ['sleep', '600'])"
        joined = group.folders["pids"] / "cgroup.procs"
        script = f"open({str(joined)!r}, 'w').write('0'); {code}"
        subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
        assert 1 == len(joined.read_text().split())
        assert 1 == remove(group.paths)
        assert not group.folders["pids"].exists()


FORKS = """
import json, os, sys
from importlib.machinery import SourceFileLoader
from types import ModuleType
inside = ModuleType("inside")
SourceFileLoader("inside", sys.argv[1]).exec_module(inside)
inside.enter(json.loads(sys.argv[2]), None)
os.setuid(65534)
count = 0
try:
    while count < 100:
        if os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
        count += 1
except BlockingIOError:
    pass
print(count, flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_rlimit_of_processes() -> None:
    """Beyond the limit on the user's processes a fork fails with EAGAIN."""
    terms = {"groups": [], "rlimits": {"pids": tasks_of(65534) + 8}, "sandbox": None}
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FORKS, inside.__file__, json.dumps(terms)],
        input="",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert 0 < int(process.stdout.split()[-1]) <= 8


def test_who_is_below() -> None:
    """What is watched are a process's children and theirs, however the kernel tells of them."""
    code = "import subprocess; subprocess.run(['sh', '-c', 'echo $$ && read x'])"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], **pipes) as process:
        assert process.stdout is not None
        inner = int(process.stdout.readline())
        assert [inner] == list(watching.descendants(process.pid))
        assert inner in watching._parents()[process.pid]
        assert watching.exceeds(os.getpid(), 1 << 20)
        assert not watching.exceeds(os.getpid(), 1 << 40)
        process.communicate("\n")


class TestReach:
    def test_links_that_npm_made(self, tmp_path: Path) -> None:
        """A linked package is reached where its link is called after it, any other is not."""
        folder = tmp_path / "plugin"
        (folder / "node_modules/@scope").mkdir(parents=True)
        for name, called in (("sdk", "sdk"), ("@scope/sdk", "scoped"), ("loot", "other")):
            target = tmp_path / called
            target.mkdir()
            (target / "package.json").write_text(json.dumps({"name": name.replace("loot", "x")}))
            (folder / "node_modules" / name).symlink_to(target)
        (folder / "node_modules/root").symlink_to("/")
        paths = {path for path, _ in rules_for(["sh"], folder, tmp_path, {"PATH": "/bin"}, {})}
        assert {str(tmp_path / "sdk"), str(tmp_path / "scoped")} <= paths
        assert str(tmp_path / "other") not in paths
        assert "/" not in paths

    def test_a_search_path_above_the_home(self, tmp_path: Path) -> None:
        """A search path that holds the user's home does not open it."""
        home = str(Path.home())
        rules = rules_for(["sh"], tmp_path, tmp_path, {"PATH": f"{home}:/:/bin"}, {})
        assert not {home, "/"} & {path for path, _ in rules}

    def test_nothing_of_the_systems_secrets(self, tmp_path: Path) -> None:
        """No rule opens a folder of /etc that holds keys, or what may be read by root alone."""
        paths = [path for path, _ in rules_for(["sh"], tmp_path, tmp_path, {"PATH": "/bin"}, {})]
        for secret in ("/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/root/.ssh", "/run"):
            assert not [path for path in paths if Path(secret).is_relative_to(path)], secret
