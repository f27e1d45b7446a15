"""Health is asked for, believed when it is said more than once, and acted upon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdp_pipeline.manager.health import HealthWatch
from cdp_pipeline.manager.settings import ManagerSettings
from cdpplugin import Batch, HealthStatus
from tests.manager._stream import Stream
from tests.manager.conftest import House, Stamp, candidate

SICK = HealthStatus("unhealthy", "no connection")


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.005)


class TestThreshold:
    async def test_of_bad_checks(self, house: House) -> None:
        """The third bad check in a row makes it unhealthy, the second good one healthy again."""
        plugin = Stamp()
        managed = await house.load(candidate(plugin))
        watch = HealthWatch(managed, ManagerSettings())
        said = [SICK, SICK, HealthStatus(), SICK, SICK, SICK, HealthStatus(), SICK]
        states = []
        for status in [*said, HealthStatus(), HealthStatus()]:
            plugin.status = status
            await watch.check()
            states.append(managed.status().state)
        assert ["running"] * 5 + ["unhealthy"] * 4 + ["running"] == states

    async def test_a_plugin_that_does_not_say(self, house: House) -> None:
        """Silence and an exception are bad checks, unless the plugin is at work."""

        class Silent(Stamp):
            async def health(self) -> HealthStatus:
                await asyncio.sleep(3600)
                return HealthStatus()

        managed = await house.load(candidate(Silent()))
        watch = HealthWatch(managed, ManagerSettings(health_timeout_s=0.02, unhealthy_threshold=1))
        async with managed.pinned():
            assert not await watch.check()
        assert "running" == managed.status().state
        assert await watch.check()
        status = managed.status()
        assert ("unhealthy", "unhealthy") == (status.state, status.health)
        assert "did not say how it is" in status.reason


class TestReplacement:
    async def test_of_an_unhealthy_instance(self, house: House, tmp_path: Path) -> None:
        """Under load another instance of the same version takes over; no row is lost."""
        house.settings(health_interval_s=0.02, unhealthy_threshold=2)
        made: list[Stamp] = []

        async def launch(count: int) -> Any:
            from cdp_pipeline.runtimes import native

            made.append(Stamp("1.0.0", health=None if made else SICK))
            return native.handle(made[-1], workers=count)

        managed = await house.load(
            type(candidate(None))(launch=launch, config_of=lambda _: {}, workers=2)
        )
        house.manager.watch()
        async with Stream(tmp_path, managed) as stream:
            await stream.until(lambda: managed.replacements == 1)
            await stream.flows()
        stream.check("1.0.0")
        assert ["configure", "start", "stop"] == made[0].began
        assert ("running", 1) == (managed.status().state, managed.status().replacements)

    async def test_of_one_that_stays_unhealthy(self, house: House) -> None:
        """After too many in the window the plugin goes into quarantine, with the reason."""
        house.settings(
            health_interval_s=0.01,
            unhealthy_threshold=1,
            max_replacements=2,
            replacement_delay_s=0.0,
        )

        async def launch(count: int) -> Any:
            from cdp_pipeline.runtimes import native

            plugin = Stamp("1.0.0")
            handle = native.handle(plugin, workers=count)
            asyncio.get_running_loop().call_later(0.02, setattr, plugin, "status", SICK)
            return handle

        managed = await house.load(
            type(candidate(None))(launch=launch, config_of=lambda _: {}, workers=2)
        )
        house.manager.watch()
        await until(lambda: managed.status().state == "quarantined")
        assert "replaced 2 times" in managed.status().reason
        assert "switched" == (await house.reload(Stamp("1.0.1"))).outcome
        assert "running" == managed.status().state
        outputs = await managed.process_batch(Batch.of("T", [{"n": 1}]))
        assert "1.0.1" == outputs.parts[0].batch.payloads.value(0)["version"]
