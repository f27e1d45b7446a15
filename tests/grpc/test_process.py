"""What a plugin's processes leave behind: nothing, however plugin, keeper or host end."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_pipeline.errors import StateError
from cdp_pipeline.runtimes.grpc.launches import Launches, runtime_folder
from cdp_pipeline.runtimes.grpc.reaper import reap
from cdp_pipeline.runtimes.grpc.restarts import RestartPolicy
from cdpplugin import PluginError
from tests.grpc.conftest import Workshop, batch, is_alive, marked, values

ROOT = Path(__file__).resolve().parents[2]
HOST = """
import asyncio, os, sys, tempfile
from pathlib import Path
from cdpplugin import PluginError
from tests.grpc.conftest import Workshop

async def main():
    host = Workshop(Path(sys.argv[1]), Path(sys.argv[2]))
    handle = await host.raw(sys.argv[3], grace_s=0.3)
    print(handle._life.current.instance.process.keeper.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def wait_until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Look again and again until *holds* does."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "never came true"
        time.sleep(0.02)


def unix_sockets() -> set[str]:
    """The Unix sockets that this process has open, by inode."""
    links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[6]}]" for line in lines}.intersection(links)


class Host:
    """A host in a process of its own, with one plugin."""

    def __init__(self, runtime: Path, folder: Path, mode: str) -> None:
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST, str(runtime), str(folder), mode],
            stdout=subprocess.PIPE,
            env=environ,
        )
        assert self.process.stdout is not None
        try:
            self.keeper = int(self.process.stdout.readline())
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class TestStop:
    async def test_a_plugin_that_ignores_sigterm(self, workshop: Workshop) -> None:
        """A plugin that ignores SIGTERM is killed after the grace."""
        handle = await workshop.raw("stubborn", grace_s=0.3)
        begun = time.monotonic()
        await handle.stop()
        assert 0.3 <= time.monotonic() - begun < 5
        assert "signal 9" in str(await handle._life.current.instance.ended)

    async def test_leaves_no_connection_to_wait_for(self, workshop: Workshop) -> None:
        """The connection is closed before the plugin has ended: it may wait for just that."""
        before = unix_sockets()
        handle = await workshop.raw("stubborn", grace_s=30.0)
        await handle.process_batch(batch(1))
        opened = unix_sockets() - before
        stopping = asyncio.create_task(handle.stop())
        async with asyncio.timeout(20):
            while opened <= unix_sockets():  # the library opens some of its own, and keeps them
                await asyncio.sleep(0.01)
        assert not stopping.done()
        handle._life.current.instance.kill()
        await stopping

    async def test_children(self, workshop: Workshop) -> None:
        """What a plugin has started ends with it, in whatever session it is."""
        handle = await workshop.raw("forks", grace_s=0.3)
        assert 4 == len(marked(str(workshop.runtime)))  # keeper, plugin, two children
        await handle.stop()
        assert [] == marked(str(workshop.runtime))

    async def test_children_of_one_that_died(self, workshop: Workshop) -> None:
        """Children of a plugin that dies by itself end at once."""
        handle = await workshop.raw("forks")
        os.kill(handle._life.current.instance.process.pid, signal.SIGKILL)
        await handle._life.current.instance.ended
        assert [] == marked(str(workshop.runtime))

    async def test_twice(self, workshop: Workshop) -> None:
        """Stopping what is stopped does nothing."""
        handle = await workshop.raw("streaming")
        await handle.stop()
        await handle.stop()

    async def test_while_a_batch_is_under_way(self, workshop: Workshop) -> None:
        """A batch that is under way when its plugin is stopped fails; nothing hangs."""
        handle = await workshop.raw("hangs", grace_s=0.3)
        call = asyncio.create_task(handle.process_batch(batch(1, types=["Slow"])))
        while not handle._stream:
            await asyncio.sleep(0)
        await handle.stop()
        with pytest.raises(PluginError):
            await call

    @pytest.mark.parametrize("mode", ["starts-once", "dies-once"])
    async def test_while_it_starts_again(
        self, workshop: Workshop, tmp_path: Path, mode: str
    ) -> None:
        """A plugin that is just being started again, or waited for, does not outlive its stop."""
        delay_s = 0.0 if mode == "starts-once" else 3600.0
        policy = RestartPolicy(initial_delay_s=delay_s, max_delay_s=delay_s)
        handle = await workshop.raw(mode, str(tmp_path / "died"), policy=policy)
        call = asyncio.create_task(handle.process_batch(batch(1)))
        await handle._life.current.instance.ended
        async with asyncio.timeout(20):
            while mode == "starts-once" and "not again" not in workshop.log.messages:
                await asyncio.sleep(0.01)
            await handle.stop()
            with pytest.raises(PluginError, match="is stopped"):
                await call
        assert [] == marked(str(workshop.runtime))

    async def test_of_one_whose_keeper_was_killed(self, workshop: Workshop) -> None:
        """The children of a plugin that lost its keeper are ended before it starts again."""
        handle = await workshop.raw("forks")
        before = marked(str(workshop.runtime))
        instance = handle._life.current.instance
        os.kill(instance.process.keeper.pid, signal.SIGKILL)
        assert "lost its keeper" in str(await instance.ended)
        assert [1] == values(await handle.process_batch(batch(1)))
        after = marked(str(workshop.runtime))
        assert (4, set()) == (len(after), set(before) & set(after))


class TestFlood:
    async def test_never_stops_the_plugin(self, workshop: Workshop) -> None:
        """A plugin that prints without end goes on; lines are left out and counted."""
        handle = await workshop.raw("floods")
        assert [1] == values(await handle.process_batch(batch(1)))
        await handle.stop()
        assert len(workshop.log.lines) < 10_000
        assert any("left out" in message for message in workshop.log.messages)
        assert "the last word" == handle._life.current.instance.last_lines[-1]


class TestRestarts:
    @pytest.mark.parametrize("mode", ["streaming", "plain-on-port"])
    async def test_cost_nothing_that_stays(self, workshop: Workshop, mode: str) -> None:
        """However often a plugin is started again: no descriptor, thread, task or folder more."""
        policy = RestartPolicy(initial_delay_s=0.0, max_restarts=None)
        handle = await workshop.raw(mode, policy=policy)
        seen = []
        for _ in range(8):
            assert [1] == values(await handle.process_batch(batch(1)))
            instance = handle._life.current.instance
            os.kill(instance.process.pid, signal.SIGKILL)
            await instance.ended
            seen.append(self.counts(workshop))
        most = {fact: max(counts[fact] for counts in seen[:4]) for fact in seen[0]}
        async with asyncio.timeout(60):  # what ends with a process ends a moment after it
            while any(count > most[fact] for fact, count in self.counts(workshop).items()):
                await asyncio.sleep(0.05)

    def counts(self, workshop: Workshop) -> dict[str, int]:
        """How many there are of what could stay behind."""
        gc.collect()
        # The loop's own threads are few, and come as they are needed.
        threads = [t for t in threading.enumerate() if not t.name.startswith("asyncio_")]
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": len(threads),
            "tasks": len(asyncio.all_tasks()),
            "folders": len(list((workshop.runtime / "cdp").iterdir())),
        }


class TestHostsDeath:
    @pytest.mark.parametrize("mode", ["streaming", "stubborn", "forks"])
    def test_ends_its_plugins(self, runtime: Path, tmp_path: Path, mode: str) -> None:
        """A host that is killed leaves no process, whatever the plugin does about it."""
        host = Host(runtime, tmp_path, mode)
        assert len(marked(str(runtime))) >= 2
        host.kill()
        wait_until(lambda: not marked(str(runtime)))

    def test_leaves_folders_that_the_next_host_removes(self, runtime: Path, tmp_path: Path) -> None:
        """The next host's reaper removes the records and sockets of dead hosts."""
        host = Host(runtime, tmp_path, "streaming")
        host.kill()
        assert [] != list((runtime / "cdp").iterdir())
        reap(Launches({"XDG_RUNTIME_DIR": str(runtime)}))
        assert [] == list((runtime / "cdp").iterdir())
        wait_until(lambda: not marked(str(runtime)))

    def test_with_its_keeper_killed_first(self, runtime: Path, tmp_path: Path) -> None:
        """Even what outlived its keeper is ended by the next host: it carries a mark."""
        host = Host(runtime, tmp_path, "forks")
        os.kill(host.keeper, signal.SIGKILL)
        wait_until(lambda: not is_alive(host.keeper))
        host.kill()
        wait_until(lambda: len(marked(str(runtime))) <= 2)
        assert [] != marked(str(runtime))
        assert ["raw@1.0.0"] == reap(Launches({"XDG_RUNTIME_DIR": str(runtime)}))
        wait_until(lambda: not marked(str(runtime)))

    def test_of_another_host_is_nobody_elses(self, runtime: Path, tmp_path: Path) -> None:
        """A living host's plugins are not touched by another's reaper."""
        living, dying = (Host(runtime, tmp_path, "streaming") for _ in range(2))
        dying.kill()
        reap(Launches({"XDG_RUNTIME_DIR": str(runtime)}))
        wait_until(lambda: not is_alive(dying.keeper))
        assert is_alive(living.keeper)
        assert 1 == len(list((runtime / "cdp").glob("*.json")))
        living.kill()
        wait_until(lambda: not marked(str(runtime)))


class TestRecords:
    def test_of_a_reused_number(self, runtime: Path) -> None:
        """A process that only has a dead host's number is not that host."""
        launches = Launches({"XDG_RUNTIME_DIR": str(runtime)})
        launch = launches.begin("raw@1.0.0")
        record = json.loads(launch.record.read_text())
        record["host"]["started"] = "1"
        launch.record.write_text(json.dumps(record))
        reap(launches)
        assert not launch.folder.exists()

    def test_of_another_namespace(self, runtime: Path) -> None:
        """What a host in another process namespace has launched is left alone."""
        launches = Launches({"XDG_RUNTIME_DIR": str(runtime)})
        launch = launches.begin("raw@1.0.0")
        record = json.loads(launch.record.read_text())
        record["host"] |= {"started": "1", "system": record["host"]["system"] + "0"}
        launch.record.write_text(json.dumps(record))
        reap(launches)
        assert launch.folder.exists()

    def test_that_cannot_be_read(self, runtime: Path) -> None:
        """A record that says nothing is nobody's to judge."""
        launches = Launches({"XDG_RUNTIME_DIR": str(runtime)})
        (launches.folder / "0123456789ab.json").write_text("{")
        assert [] == reap(launches)

    def test_folder_others_may_enter(self, runtime: Path) -> None:
        """A folder for sockets that others may enter is refused."""
        (runtime / "cdp").mkdir(mode=0o755)
        with pytest.raises(StateError) as caught:
            runtime_folder({"XDG_RUNTIME_DIR": str(runtime)})
        assert "state.unsafe" == caught.value.code

    def test_path_too_long_for_a_socket(self, tmp_path: Path) -> None:
        """A runtime folder whose sockets would have too long a path is not used."""
        deep = tmp_path / ("x" * 100)
        deep.mkdir()
        assert Path(f"/tmp/cdp-{os.getuid()}") == runtime_folder({"XDG_RUNTIME_DIR": str(deep)})
