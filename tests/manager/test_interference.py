"""What comes between the steps of a reload: slow calls, cancelled callers, drops, lost plugins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes.lost import PluginLost
from cdp_pipeline.runtimes.native import handle
from cdpplugin import (
    Batch,
    Drop,
    Outputs,
    PluginMetadata,
    ResourceRequirements,
    Retry,
    SourceDescription,
)
from tests.manager._book import Book, Booked, Stamping, Writing
from tests.manager._stream import Stream, pipeline, policy
from tests.manager.conftest import House, Stamp, candidate
from tests.manager.test_kinds import Counter, Keeper, Tide, Witness

ONE = Batch.of("T", [{"n": 0}])


async def until(what: Any) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.005)


class Gate(Counter):
    """A stateful plugin whose calls wait."""

    def __init__(self, version: str = "1.0.0") -> None:
        super().__init__(version)
        self.open = asyncio.Event()
        self.entered = asyncio.Event()

    async def process_batch(self, batch: Batch) -> Outputs:
        self.entered.set()
        await self.open.wait()
        return await super().process_batch(batch)


class TestRest:
    async def test_a_state_is_not_taken_in_the_middle_of_a_call(self, house: House) -> None:
        """A call that does not end in time ends the reload, not the other way round."""
        house.settings(drain_timeout_s=0.02)
        old = Gate()
        managed = await house.load(candidate(old, 1))
        asked = asyncio.create_task(managed.process_batch(ONE))
        await old.entered.wait()
        report = await house.reload(Counter("1.0.1"), workers=1)
        assert ("rolled_back", "plugin.not_at_rest") == (report.outcome, report.code)
        assert "export" not in old.began
        old.open.set()
        assert not (await asked).errors
        assert 1 == old.count
        assert "switched" == (await house.reload(Counter("1.0.1"), workers=1)).outcome

    async def test_a_parcel_leaves_a_stopped_instance(self, house: House) -> None:
        """Who holds an instance for longer than is waited for asks the next one."""
        house.settings(probation_s=0.0, drain_timeout_s=0.01)
        old = Stamp("1.0.0")
        managed = await house.load(candidate(old))
        async with managed.pinned() as pinned:
            await house.reload(Stamp("1.0.1"))
            assert "stop" == old.began[-1]
            outputs = await pinned.process_batch(ONE)
        assert "1.0.1" == outputs.parts[0].batch.payloads.value(0)["version"]

    async def test_what_failed_is_repeated_by_the_new_version(self, house: House) -> None:
        """A parcel that waits for its next try does not hold on to the version that failed."""
        house.settings(probation_s=0.0)

        def away(batch: Batch) -> Any:
            raise Retry("is away")

        managed = await house.load(candidate(Stamp("1.0.0", answer=away)))
        async with managed.pinned() as pinned:
            with pytest.raises(Retry):
                await pinned.process_batch(ONE)
            reload = asyncio.create_task(house.reload(Stamp("1.0.1")))
            await until(lambda: managed.metadata().version == "1.0.1")
            assert not (await pinned.process_batch(ONE)).errors
            await asyncio.wait_for(reload, 10)


class TestCancelled:
    async def test_a_caller(self, house: House) -> None:
        """A reload whose caller is gone goes on; nothing is half done."""
        managed = await house.load(candidate(Stamp("1.0.0")))
        reload = asyncio.create_task(house.reload(Stamp("1.0.1")))
        await asyncio.sleep(0)
        reload.cancel()
        await asyncio.wait([reload])
        await until(lambda: managed.metadata().version == "1.0.1")

    async def test_the_end_of_the_run(self, house: House) -> None:
        """What was replaced, and is held still when the run ends, is stopped all the same."""
        house.settings(probation_s=0.0, drain_timeout_s=0.1)
        old, new = Stamp("1.0.0"), Stamp("1.0.1")
        managed = await house.load(candidate(old))
        async with managed.pinned():
            reload = asyncio.create_task(house.reload(new))
            await until(lambda: managed.metadata().version == "1.0.1")
            await house.end()
        await asyncio.wait([reload])
        assert (1, 1) == (old.began.count("stop"), new.began.count("stop"))
        with pytest.raises(Exception, match="the run ends"):
            await house.reload(Stamp("1.0.2"))

    async def test_a_stop_that_hangs(self, house: House) -> None:
        """A bad version that does not end keeps nobody waiting."""
        house.settings(stop_timeout_s=0.05)

        class Hangs(Stamp):
            async def stop(self) -> None:
                await asyncio.sleep(3600)

        await house.load(candidate(Stamp("1.0.0")))
        report = await asyncio.wait_for(house.reload(Hangs("1.0.1", fails="start")), 20)
        assert "rolled_back" == report.outcome


class TestConsumer:
    async def test_whose_stop_fails(self, house: House, tmp_path: Path) -> None:
        """A consumer that fails its stop has made durable what it took: the new one takes over."""

        class Bad(Keeper):
            async def stop(self) -> None:
                raise RuntimeError("cannot stop")

        witness = Witness()
        managed = await house.load(candidate(Bad("1.0.0", witness)))
        async with Stream(tmp_path, sink=managed, witness=witness) as stream:
            await stream.flows()
            assert "switched" == (await house.reload(Keeper("1.0.1", witness))).outcome
            await stream.flows()
        stream.check("")

    async def test_the_new_one_ends_before_the_old_one_is_started_again(self, house: House) -> None:
        """Two consumers that keep a position are never at work together."""
        order: list[str] = []

        class Noted(Keeper):
            async def start(self, context: Any) -> None:
                order.append(f"start {self.version}")
                await super().start(context)

            async def stop(self) -> None:
                order.append(f"stop {self.version}")

        await house.load(candidate(Noted("1.0.0", Witness())))
        await house.reload(Noted("1.0.1", Witness(), fails="start"))
        starts = ["start 1.0.0", "stop 1.0.0", "start 1.0.1", "stop 1.0.1", "start 1.0.0"]
        assert starts == order

    @pytest.mark.parametrize("owes", [False, True])
    async def test_that_is_lost(self, house: House, tmp_path: Path, owes: bool) -> None:
        """A lost consumer comes back by a reload, unless what it had taken is lost with it."""
        house.settings(quarantine_wait_s=60.0, probation_s=0.0)

        class Dies(Writing):
            async def flush(self) -> int | None:
                raise AssertionError("it is dead")

        book = Book()
        plugin: Booked = Dies("1.0.0", "" if owes else "lost")
        managed = await house.load(book.candidate(lambda: plugin, 1))
        run = pipeline(
            tmp_path,
            Tide("1.0.0", last=10**9 if owes else 50),
            None,
            managed,
            on_error=policy("fail"),
        )
        running = asyncio.create_task(run.run())
        if owes:
            await until(lambda: plugin.taken)  # type: ignore[attr-defined]
            plugin.mode = "lost"
        await until(lambda: managed.status().state == "quarantined" or running.done())
        house.next = lambda: book.candidate(lambda: Writing("1.0.1"), 1)
        report = await house.reload()
        outcome = await asyncio.wait_for(running, 20)
        assert ("refused" if owes else "switched") == report.outcome, report
        assert owes == bool(outcome.failures)
        assert ([] if owes else list(range(102))) == book.held
        assert (-1 if owes else 50) == run.checkpoint_position


class TestProbation:
    async def test_a_drop_is_no_failure(self, house: House) -> None:
        """A new version that drops what the old one took is not rolled back for that."""

        def drops(batch: Batch) -> Any:
            return Outputs(errors={0: Drop("not wanted")})

        managed = await house.load(candidate(Stamp("1.0.0")))
        await house.reload(Stamp("1.0.1", answer=drops))
        assert isinstance((await managed.process_batch(ONE)).errors[0], Drop)
        assert ("1.0.1", 0) == (managed.metadata().version, managed.status().failed_rows)

    async def test_a_new_version_that_is_lost(self, house: House) -> None:
        """A new version that cannot go on is rolled back, whatever the old one says to a batch."""

        def lost(batch: Batch) -> Any:
            raise PluginLost("it died 6 times")

        def odd(batch: Batch) -> Any:
            raise RuntimeError("cannot answer that")

        managed = await house.load(candidate(Stamp("1.0.0", answer=odd)))
        await house.reload(Stamp("1.0.1", answer=lost))
        outputs = await managed.process_batch(ONE)
        assert "cannot answer that" in str(outputs.errors[0])
        assert ("1.0.0", "running") == (managed.metadata().version, managed.status().state)

    async def test_of_a_source_ends(self, house: House, tmp_path: Path) -> None:
        """A source is held for as long as it is read; nobody waits for that to end."""
        house.settings(probation_s=0.01)
        managed = await house.load(candidate(Tide("1.0.0")))
        witness = Witness()
        run = pipeline(tmp_path, managed, None, handle(witness))
        running = asyncio.create_task(run.run())
        await house.reload(Tide("1.0.1"))
        await until(lambda: "reload_confirmed" in house.kinds())
        run.stop()
        assert [] == (await asyncio.wait_for(running, 20)).failures


async def test_a_source_of_another_stream(house: House) -> None:
    """A source that reads another stream is refused: no position means there what it meant."""

    class Elsewhere(Tide):
        async def describe(self) -> SourceDescription:
            return SourceDescription(identity="another")

    await house.load(candidate(Tide("1.0.0")))
    report = await house.reload(Elsewhere("1.0.1"))
    assert ("refused", "plugin.reload_refused") == (report.outcome, report.code)
    assert "`identity` is `tide`, got `another`" in report.error


async def test_a_version_for_which_there_is_no_room(house: House) -> None:
    """A new version that asks for more than there is does not take over."""

    class Big(Stamp):
        def metadata(self) -> PluginMetadata:
            needs = ResourceRequirements(min_memory_mb=4096)
            return PluginMetadata("stamp", self.version, "processor", resources=needs)

    house.settings()
    await house.load(candidate(Stamp("1.0.0")))
    report = await house.reload(Big("1.0.1"))
    assert ("rolled_back", "plugin.admission_refused") == (report.outcome, report.code)


async def test_a_replacement_that_fails_is_tried_again(house: House) -> None:
    """An unhealthy instance whose first replacement does not start is replaced by the next."""
    house.settings(health_interval_s=0.01, unhealthy_threshold=1, replacement_delay_s=0.0)
    book = Book()
    modes = iter(["sick later", "start", "start", ""])
    managed = await house.load(book.candidate(lambda: Stamping("1.0.0", next(modes)), 1))
    house.manager.watch()
    book.launched[0].mode = "sick"
    await until(lambda: managed.replacements == 1)
    assert (4, 1) == (len(book.launched), len(book.living))
    assert 2 == house.kinds().count("rolled_back")
