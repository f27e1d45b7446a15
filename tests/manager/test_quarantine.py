"""A plugin that is lost is out of service, with a reason and a way back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.lost import PluginLost
from cdp_pipeline.runtimes.native import handle
from cdpplugin import Batch
from tests.manager._stream import Numbers, Stream, Witness, pipeline
from tests.manager.conftest import House, Stamp, candidate


def lost(batch: Batch) -> Any:
    raise PluginLost("it died 6 times", code="plugin.crashed")


class TestQuarantine:
    async def test_fails_its_messages(self, house: House) -> None:
        """Without a wait the error is the plugin's, and the status says why."""
        managed = await house.load(candidate(Stamp(answer=lost)))
        with pytest.raises(PluginLost, match="died 6 times"):
            await managed.process_batch(Batch.of("T", [{"n": 1}]))
        status = managed.status()
        assert ("quarantined", "it died 6 times") == (status.state, status.reason)
        assert "quarantined" == house.kinds()[-1]

    async def test_a_reload_is_the_way_back(self, house: House, tmp_path: Path) -> None:
        """With a wait the messages wait, and the next version answers them: none is lost."""
        house.settings(quarantine_wait_s=60.0, probation_s=0.0)
        plugin = Stamp("1.0.0")
        managed = await house.load(candidate(plugin, 4))
        async with Stream(tmp_path, managed, workers=4) as stream:
            await stream.flows()
            plugin.answer = lost
            await stream.until(lambda: managed.status().state == "quarantined")
            seen = stream.witness.count
            assert "switched" == (await house.reload(Stamp("1.0.1"))).outcome
            await stream.until(lambda: stream.witness.count > seen + 500)
        stream.check("1.0.0", "1.0.1")

    async def test_the_wait_ends(self, house: House) -> None:
        """When nobody brings it back in time its messages fail."""
        house.settings(quarantine_wait_s=0.05)
        managed = await house.load(candidate(Stamp(answer=lost)))
        with pytest.raises(PluginLost):
            await managed.process_batch(Batch.of("T", [{"n": 1}]))

    async def test_a_bad_version_does_not_bring_it_back(self, house: House) -> None:
        """A version that fails its start leaves the plugin where it is, and the wait goes on."""
        house.settings(quarantine_wait_s=60.0)
        managed = await house.load(candidate(Stamp(answer=lost)))
        asked = asyncio.create_task(managed.process_batch(Batch.of("T", [{"n": 1}])))
        while managed.status().state != "quarantined":
            await asyncio.sleep(0)
        assert "rolled_back" == (await house.reload(Stamp("1.0.1", fails="start"))).outcome
        assert not asked.done()
        assert "switched" == (await house.reload(Stamp("1.0.2"))).outcome
        outputs = await asyncio.wait_for(asked, 10)
        assert "1.0.2" == outputs.parts[0].batch.payloads.value(0)["version"]

    async def test_the_wait_ends_with_the_run(self, house: House, tmp_path: Path) -> None:
        """A run that is to stop does not wait for a plugin that nobody brings back."""
        house.settings(quarantine_wait_s=3600.0)
        managed = await house.load(candidate(Stamp(answer=lost)))
        run = pipeline(tmp_path, handle(Numbers()), managed, handle(Witness()))
        running = asyncio.create_task(run.run())
        async with asyncio.timeout(10):
            while managed.status().state != "quarantined":
                await asyncio.sleep(0.001)
        run.stop()
        house.manager.hurry()
        outcome = await asyncio.wait_for(running, 10)
        assert ["it died 6 times"] == [str(failure.error) for failure in outcome.failures]
