"""Plugins in containers, run by a real engine: confined, reached by a socket, never left behind."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.config.limits import FileGrant, Limits, Permissions
from cdp_pipeline.errors import ArtifactError
from cdp_pipeline.host.launch import runtime_of
from cdp_pipeline.runtimes.grpc.confinement import volumes
from cdp_pipeline.runtimes.grpc.engine import HOST_LABEL, Engine
from cdpplugin import Context
from tests._docker import docker_client
from tests.grpc.conftest import Workshop, batch, values

ROOT = Path(__file__).resolve().parents[2]
IMAGE = f"cdp-test-contained:{os.getpid()}"
"""Of this run of the tests alone: others may use the same engine."""
SDK = "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The engine's client."""
    with docker_client() as found:
        yield found


@pytest.fixture(scope="module")
def image(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that holds one static Go program and nothing else."""
    if shutil.which("go") is None:
        pytest.skip("no Go toolchain to build the image's program with")
    folder = tmp_path_factory.mktemp("contained")
    shutil.copy(Path(__file__).parent / "plugins" / "contained.go", folder / "main.go")
    shutil.copy(ROOT / "sdk" / "go" / "go.sum", folder / "go.sum")
    (folder / "go.mod").write_text(
        f"module contained\n\ngo 1.24.0\n\nrequire {SDK} v0.0.0\n\n"
        f"replace {SDK} => {ROOT / 'sdk' / 'go'}\n"
    )
    environ = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", "plugin", "."], cwd=folder, env=environ, check=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder / "plugin", "plugin")
    repository, _, tag = IMAGE.partition(":")
    client.api.import_image_from_data(
        packed.getvalue(), repository=repository, tag=tag, changes=['ENTRYPOINT ["/plugin"]']
    )
    yield IMAGE
    client.images.remove(IMAGE, force=True)


class Forwarder:
    """The engine behind another socket, so that it can be taken away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = False
        self._pairs: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            near = self._listener.accept()[0]
            if self._closed:
                near.close()
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect("/var/run/docker.sock")
            self._pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._copy, args=(source, target)))
                self._threads[-1].start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(str(self.path))
        self._listener.close()
        self.path.unlink()
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(20)
        for end in self._pairs:
            end.close()


async def contained(
    workshop: Workshop, image: str, mode: str = "", engine: str = "", **plugin: Any
) -> Any:
    """A started plugin in a container."""
    for name in ("DOCKER_HOST", "HOME"):
        if name in os.environ:
            workshop.environ[name] = os.environ[name]
    if engine:
        workshop.environ["DOCKER_HOST"] = engine
    manifest = workshop.manifest(
        "", docker={"image": image, "ports": {"50051": "50051"}, "env": {"MODE": mode}}, port=50051
    )
    handle = await workshop.launch(manifest, plugin, grace_s=2.0, start_timeout_s=60.0)
    await handle.start(Context("pipeline", "stage"))
    return handle


def labelled(client: Any) -> list[Any]:
    """The containers of the image, of any host."""
    ours = {"label": HOST_LABEL, "ancestor": IMAGE}
    return list(client.containers.list(all=True, filters=ours, ignore_removed=True))


def networks(client: Any) -> list[Any]:
    """The networks of this host."""
    found = client.networks.list(filters={"label": HOST_LABEL})
    return [n for n in found if json.loads(n.attrs["Labels"][HOST_LABEL])["pid"] == os.getpid()]


class TestConfinement:
    async def test_of_a_plugin_that_knows_its_socket(
        self, workshop: Workshop, client: Any, image: str
    ) -> None:
        """No network, no capability, no writing but to /tmp; limits are the engine's."""
        limits = Limits(memory=100_000_000, cpu=0.5, pids=50)
        handle = await contained(workshop, image, limits=limits)
        [seen] = values(await handle.process_batch(batch(1)))
        assert ["lo"] == seen["interfaces"]
        assert (False, True) == (seen["root"], seen["tmp"])
        assert "CapEff:\t0000000000000000" in seen["status"]
        assert "NoNewPrivs:\t1" in seen["status"]
        assert not any(line.startswith("XDG_") for line in seen["environ"])
        facts = handle._life.current.instance.container.attrs["HostConfig"]
        assert (100_000_000, 500_000_000, 50) == (
            facts["Memory"],
            facts["NanoCpus"],
            facts["PidsLimit"],
        )
        assert {} == (facts["PortBindings"] or {})
        assert "container" == runtime_of(handle)  # nobody is told that its limits do not hold
        assert not (await handle.health()).details

    async def test_of_a_plugin_that_knows_only_a_port(
        self, workshop: Workshop, client: Any, image: str
    ) -> None:
        """A plugin without socket gets a network of its own that leads nowhere."""
        handle = await contained(workshop, image, "raw")
        assert [{"n": 1}] == values(await handle.process_batch(batch({"n": 1})))
        assert {"unauthenticated": True} == (await handle.health()).details
        [network] = networks(client)
        assert network.attrs["Internal"]
        await handle.stop()
        assert [] == networks(client)

    async def test_names_the_image_by_digest(self, workshop: Workshop, image: str) -> None:
        """The log says which image runs, by digest, and that fixed ports are ignored."""
        await contained(workshop, image)
        [fields] = [f for _, m, f in workshop.log.lines if m == "starting a container"]
        assert fields["digest"].startswith("sha256:")
        assert 2 == len([m for m in workshop.log.messages if "is ignored" in m])
        assert "hello from the container" in workshop.log.messages

    def test_mounts_what_is_granted(self, workshop: Workshop, tmp_path: Path) -> None:
        """A folder is mounted only where the pipeline grants it, to write only where it says so."""
        told = f"{tmp_path}/models:/models:ro"
        manifest = workshop.manifest("", docker={"image": "x", "volumes": [told]})
        with pytest.raises(ArtifactError) as caught:
            volumes(manifest, Permissions())
        assert "plugin.permission_denied" == caught.value.code
        read = Permissions(files=(FileGrant(path=str(tmp_path)),))
        expected = {f"{tmp_path}/models": {"bind": "/models", "mode": "ro"}}
        assert expected == volumes(manifest, read)
        writes = workshop.manifest("", docker={"image": "x", "volumes": [told[:-3]]})
        with pytest.raises(ArtifactError, match=r"\(rw\)"):
            volumes(writes, read)


class TestMany:
    async def test_need_no_thread_each(self, workshop: Workshop, client: Any, image: str) -> None:
        """More containers than the loop has threads run at once, and stop."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        async with asyncio.timeout(120):
            handles = [await contained(workshop, image) for _ in range(4)]
            assert 4 == len(labelled(client))
            for handle in handles:
                assert 1 == len(values(await handle.process_batch(batch(1))))
                await handle.stop()
        assert [] == labelled(client)


class TestEnd:
    async def test_of_a_container(self, workshop: Workshop, client: Any, image: str) -> None:
        """A stopped plugin leaves no container."""
        handle = await contained(workshop, image)
        assert 1 == len(labelled(client))
        await handle.stop()
        assert [] == labelled(client)

    async def test_mid_batch(self, workshop: Workshop, client: Any, image: str) -> None:
        """A message that ends the container costs no other; the next call has a new container."""
        handle = await contained(workshop, image)
        outputs = await handle.process_batch(batch(1, 2, types=["T", "Poison"]))
        assert 1 == len(values(outputs))
        assert "plugin.crashed" == outputs.errors[1].code
        assert "exited with status 3" in str(outputs.errors[1])
        assert "about to die" in str(outputs.errors[1])
        assert 1 == len(values(await handle.process_batch(batch(1))))
        assert 1 == len(labelled(client))

    async def test_of_a_start_that_is_cancelled(
        self, workshop: Workshop, client: Any, image: str
    ) -> None:
        """A host that is told to stop while a container starts leaves none."""
        starting = asyncio.create_task(contained(workshop, image))
        while not labelled(client):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert [] == labelled(client)

    async def test_of_a_call_whose_caller_is_gone(self, client: Any) -> None:
        """What the engine makes for a caller that was cancelled meanwhile is undone."""
        begun, goes_on, undone = threading.Event(), threading.Event(), []

        def make() -> str:
            begun.set()
            goes_on.wait(20)
            return "a container"

        engine = Engine(importlib.import_module("docker"), client)
        call = asyncio.create_task(engine.call(make, "make it", undo=undone.append))
        await asyncio.to_thread(begun.wait, 20)
        call.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert ["a container"] == undone

    def test_of_the_engine(self, runtime: Path, client: Any, image: str, tmp_path: Path) -> None:
        """Where the engine goes away a stop says so, and cleans up what it can reach."""
        command = [sys.executable, "-c", WITHOUT_ENGINE, str(runtime), str(tmp_path), image]
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        # In a host of its own: the engine's library leaves sockets open where that goes away.
        host = subprocess.run(
            command, capture_output=True, text=True, env=environ, timeout=120, check=False
        )
        assert "is gone" in host.stdout, host.stderr
        assert [] == list((runtime / "cdp").iterdir())
        for left in labelled(client):
            left.remove(force=True)

    @pytest.mark.parametrize("mode", ["", "deaf"])
    async def test_of_the_host(
        self, workshop: Workshop, client: Any, image: str, tmp_path: Path, mode: str
    ) -> None:
        """A host that is killed leaves no container: its lifeline ends, or the next host reaps."""
        command = [sys.executable, "-c", HOST, str(workshop.runtime), str(tmp_path), image, mode]
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as host:
            try:
                assert host.stdout is not None
                assert b"ready\n" in iter(host.stdout.readline, b"")  # after lines of its log
                assert 1 == len(labelled(client))
            finally:
                host.kill()
        if mode:
            engine = Engine(importlib.import_module("docker"), client)
            assert "raw@1.0.0" in await engine.reap()
        until = time.monotonic() + 20
        while labelled(client):
            assert time.monotonic() < until
        shutil.rmtree(workshop.runtime / "cdp")


HOST = """
import asyncio, sys
from pathlib import Path
from tests._docker import docker_client
from tests.grpc.conftest import Workshop
from tests.grpc.test_container import contained

async def main():
    host = Workshop(Path(sys.argv[1]), Path(sys.argv[2]))
    await contained(host, sys.argv[3], sys.argv[4])
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

WITHOUT_ENGINE = """
import asyncio, sys
from pathlib import Path
from tests.grpc.conftest import Workshop
from tests.grpc.test_container import Forwarder, contained

async def main():
    host = Workshop(Path(sys.argv[1]), Path(sys.argv[2]))
    forwarder = Forwarder(host.runtime / "docker.sock")
    handle = await contained(host, sys.argv[3], engine=f"unix://{forwarder.path}")
    forwarder.close()
    await handle.stop()
    print(await handle._life.current.instance.ended)

asyncio.run(main())
"""
