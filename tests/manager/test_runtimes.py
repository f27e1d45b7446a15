"""Reloads of real plugins, in processes and as WebAssembly, under full load."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.grpc.loader import GrpcLoader
from cdp_pipeline.runtimes.lost import PluginLost
from cdp_pipeline.runtimes.wasm.loader import WasmLoader
from cdpplugin import Batch, PluginError, Retry
from tests.grpc.conftest import marked
from tests.manager._stream import Stream
from tests.manager._versions import Guest, Process
from tests.manager.conftest import House

RELOADS = 100


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime folder short enough for sockets; afterwards nothing of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="cdp", dir="/tmp"))
    yield folder
    left = marked(str(folder)), list((folder / "cdp").glob("*"))
    shutil.rmtree(folder)
    assert ([], []) == left


BOTH = pytest.mark.parametrize("plugin", [Process, Guest], ids=["grpc", "wasm"], indirect=True)


@pytest.fixture
async def plugin(
    request: pytest.FixtureRequest, runtime: Path, tmp_path: Path, house: House
) -> Any:
    """A plugin whose first version is in its folder."""
    if request.param is Guest:
        pytest.importorskip("ziglang")
        loader: Any = WasmLoader({}, tmp_path / "cache")
    else:
        environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime)}
        loader = GrpcLoader(environ, tmp_path / "cache", grace_s=5.0)
    made = request.param(tmp_path / "plugin", loader)
    made.put("1.0.0")
    yield made
    await house.end()


@BOTH
async def test_a_hundred_reloads(house: House, tmp_path: Path, plugin: Any) -> None:
    """Each message arrives once and in order, stamped by one version; each switch shows once."""
    managed = await house.load(plugin.candidate())
    versions = ["1.0.0", "1.0.1"]
    async with Stream(tmp_path, managed, workers=2) as stream:
        await stream.flows_from("1.0.0")
        for number in range(1, RELOADS + 1):
            version = versions[number % 2]
            plugin.put(version)
            house.next = plugin.candidate
            assert "switched" == (await house.reload()).outcome
            await stream.flows_from(version)
    stream.check(*(versions[number % 2] for number in range(RELOADS + 1)))
    assert RELOADS == managed.reloads


BAD_STARTS = ["start", "start_raises", "health"]
BAD_WORK = ["crash", "slow", "garbage"]


@pytest.mark.parametrize(
    ("plugin", "bad"),
    [(Process, bad) for bad in (*BAD_STARTS, *BAD_WORK)] + [(Guest, bad) for bad in BAD_WORK],
    indirect=["plugin"],
)
async def test_a_bad_version(house: House, tmp_path: Path, plugin: Any, bad: str) -> None:
    """A version that crashes, is sick, answers garbage or too late is rolled back without loss."""
    managed = await house.load(plugin.candidate(timeout=0.2))
    async with Stream(tmp_path, managed, workers=2) as stream:
        await stream.flows()
        plugin.put("1.0.1", bad)
        house.next = lambda: plugin.candidate(timeout=0.2)
        report = await house.reload()
        assert (bad in BAD_STARTS) == (report.outcome == "rolled_back")
        await stream.until(lambda: "rolled_back" in house.kinds())
        await stream.flows()
    stream.check("1.0.0")
    assert "1.0.0" == managed.metadata().version


@BOTH
async def test_the_plugins_own_cases(house: House, tmp_path: Path, plugin: Any) -> None:
    """A version whose answers are not those of `self-test.yaml` never takes over."""
    (plugin.folder / "self-test.yaml").write_text(
        "test_cases:\n- name: is stamped\n  input: {type: Number, payload: {n: 1}}\n"
        "  expect: {payload: {n: 1, version: 1.0.1}}\n"
    )
    managed = await house.load(plugin.candidate())
    house.next = plugin.candidate
    for version, outcome in (("1.0.1", "switched"), ("1.0.2", "rolled_back")):
        plugin.put(version)
        report = await house.reload()
        assert outcome == report.outcome, report.error
    assert "1.0.1" == managed.metadata().version
    assert "`is stamped`" in report.error


@pytest.mark.parametrize("plugin", [Process], ids=["grpc"], indirect=True)
async def test_new_code_comes_in_by_a_reload_only(house: House, plugin: Any) -> None:
    """A process that dies after its files changed does not come back as the new version."""
    house.settings(quarantine_wait_s=60.0, probation_s=0.0)
    managed = await house.load(plugin.candidate())
    plugin.put("1.0.1")
    os.kill(managed.current.handle._life.current.instance.process.pid, signal.SIGKILL)
    with pytest.raises(PluginError, match=r"stamp@1\.0\.1 is now where stamp@1\.0\.0 was"):
        await _asked_until_refused(managed)
    house.next = plugin.candidate
    assert "switched" == (await house.reload()).outcome
    outputs = await managed.process_batch(Batch.of("Number", [{"n": 1}]))
    assert "1.0.1" == outputs.parts[0].batch.payloads.value(0)["version"]


async def _asked_until_refused(managed: Any) -> None:
    """Ask until the plugin is not started again; until then the old version answers."""
    while True:
        try:
            outputs = await managed.process_batch(Batch.of("Number", [{"n": 1}]))
            assert "1.0.0" == outputs.parts[0].batch.payloads.value(0)["version"]
        except Retry as error:
            if "is now where" in str(error):
                raise


TALLY = """
import os
from cdpplugin import Base, JsonPayloads, OutputPart, Outputs, PluginMetadata, encode_json, serve

class Tally(Base):
    count = 0
    def metadata(self):
        return PluginMetadata("stamp", "VERSION", "processor", stateful=True)
    async def start(self, context):
        if "BAD" == "start":
            os._exit(7)
    async def export_state(self):
        return str(self.count).encode()
    async def import_state(self, state):
        self.count = int(state)
    async def process_batch(self, batch):
        rows = range(len(batch))
        self.count += len(rows)
        texts = [encode_json({"count": self.count, "version": "VERSION"}) for _ in rows]
        return Outputs([OutputPart(batch.replace(payloads=JsonPayloads(texts)), rows)])

serve(Tally())
"""


class Tally(Process):
    """A plugin in a process of its own that counts what it has seen."""

    def put(self, version: str, bad: str = "") -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "main.py").write_text(TALLY.replace("VERSION", version).replace("BAD", bad))
        told = {"name": "stamp", "version": version, "executable": "main.py", "stateful": True}
        (self.folder / "plugin.yaml").write_text(json.dumps(told))


async def tallied(managed: Any) -> Any:
    outputs = await managed.process_batch(Batch.of("Number", [{"n": 1}]))
    return outputs.parts[0].batch.payloads.value(0)


@pytest.mark.parametrize("plugin", [Tally], ids=["grpc"], indirect=True)
class TestState:
    async def test_is_handed_over(self, house: House, plugin: Any) -> None:
        """A new version goes on from the state; one that does not start leaves it where it is."""
        managed = await house.load(plugin.candidate())
        house.next = plugin.candidate
        assert {"count": 1, "version": "1.0.0"} == await tallied(managed)
        plugin.put("1.0.1", "start")
        report = await house.reload()
        assert ("rolled_back", "start") == (report.outcome, report.step)
        assert {"count": 2, "version": "1.0.0"} == await tallied(managed)
        plugin.put("1.0.2")
        assert "switched" == (await house.reload()).outcome
        assert {"count": 3, "version": "1.0.2"} == await tallied(managed)

    async def test_that_died(self, house: House, plugin: Any) -> None:
        """A state that died with its process is never taken for an empty one."""
        managed = await house.load(plugin.candidate())
        await tallied(managed)
        instance = managed.current.handle._life.current.instance
        os.kill(instance.process.pid, signal.SIGKILL)
        await asyncio.wait_for(asyncio.shield(instance.ended), 20)
        plugin.put("1.0.1")
        house.next = plugin.candidate
        assert "rolled_back" == (await house.reload()).outcome
        with pytest.raises(PluginLost, match=r"has not given its state: .*SIGKILL"):
            await tallied(managed)
