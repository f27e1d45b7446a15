"""The manager's own: names, statuses, events, unloading."""

from __future__ import annotations

import asyncio

import pytest

from cdp_pipeline.host.launch import runtime_of
from cdp_pipeline.manager.events import EventLog
from cdp_pipeline.manager.manager import UnknownPlugin
from cdpplugin import Batch
from tests.manager.conftest import CONTEXT, House, Stamp, candidate


class TestNames:
    async def test_of_stages_and_plugins(self, house: House) -> None:
        """A stage is meant by its name, all stages of a plugin by the plugin's."""
        await house.load(candidate(Stamp()), "first")
        await house.load(candidate(Stamp()), "second")
        assert ["first"] == house.manager.named("first")
        assert ["first", "second"] == house.manager.named("stamp")
        reports = await house.manager.reload("stamp")
        assert ["first", "second"] == [report.plugin for report in reports]

    async def test_unknown(self, house: House) -> None:
        """Any other name is an error with the nearest one."""
        await house.load(candidate(Stamp()), "first")
        with pytest.raises(UnknownPlugin) as raised:
            house.manager.named("frist")
        assert ("plugin.unknown", "did you mean `first`?") == (
            raised.value.code,
            raised.value.hint,
        )
        with pytest.raises(UnknownPlugin):
            await house.manager.unload("frist")

    async def test_unloaded(self, house: House) -> None:
        """What is unloaded is stopped, and known no more."""
        plugin = Stamp()
        await house.load(candidate(plugin), "first")
        await house.manager.unload("first")
        assert "stop" == plugin.began[-1]
        assert [] == house.manager.statuses()


async def test_started_and_stopped_by_name(house: House) -> None:
    """A plugin can be started and stopped by its stage; what is stopped says so."""
    plugin = Stamp()
    manager = house.manager
    managed = await manager.load("only", "stamp", candidate(plugin), runtime=runtime_of)
    await managed.configure({})
    await manager.start("only", CONTEXT)
    assert ["running"] == [status.state for status in manager.statuses()]
    await manager.stop("only")
    assert ["stopped"] == [status.state for status in manager.statuses()]
    assert ["configure", "start", "stop"] == plugin.began


async def test_status(house: House) -> None:
    """The status counts calls, rows and failures, and is plain data."""
    managed = await house.load(candidate(Stamp()))
    await managed.process_batch(Batch.of("T", [{"n": 1}, {"n": 2}]))
    status = managed.status()
    assert ("stage", "stamp", "stamp@1.0.0") == (status.name, status.plugin, status.reference)
    assert ("processor", "native", "running") == (status.kind, status.runtime, status.state)
    assert (1, 2, 0) == (status.calls, status.rows, status.failed_rows)
    assert "stamp@1.0.0" == status.as_json()["reference"]


class TestEvents:
    async def test_can_be_waited_for(self) -> None:
        """Who asks for what comes after an event gets it when it comes."""
        events = EventLog()
        first = events.note("p", "p@1.0.0", "state", "runs")
        waiting = asyncio.create_task(events.wait_after(first.number))
        await asyncio.sleep(0)
        assert not waiting.done()
        events.note("p", "p@1.0.0", "health", "sick", reason="why")
        [found] = await asyncio.wait_for(waiting, 5)
        assert (2, "health", {"reason": "why"}) == (found.number, found.kind, found.details)

    def test_are_kept_as_far_as_there_is_room(self) -> None:
        """The newest are kept; numbers go on rising."""
        events = EventLog(most=3)
        for number in range(10):
            events.note("p", "p@1.0.0", "state", str(number))
        assert [8, 9, 10] == [event.number for event in events.after(0)]
        assert ([9, 10], 10) == ([e.number for e in events.after(8)], events.newest)
