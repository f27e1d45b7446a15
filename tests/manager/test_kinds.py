"""What a reload is for a plugin with a state, for a consumer and for a source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cdp_pipeline.runtimes.native import handle
from cdpplugin import (
    Base,
    Batch,
    Context,
    Delivery,
    JsonPayloads,
    OutputPart,
    Outputs,
    PluginError,
    PluginMetadata,
    Resume,
    SourceBatch,
    SourceDescription,
)
from tests.manager._stream import Stream, Witness, pipeline, stamped
from tests.manager.conftest import House, candidate


class Counter(Base):
    """Counts what it has seen: its state is the count."""

    def __init__(self, version: str = "1.0.0", *, fails: str = "") -> None:
        self.version = version
        self.fails = fails
        self.count = 0
        self.began: list[str] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("counter", self.version, "processor", stateful=True)

    async def start(self, context: Context) -> None:
        self.began.append("start")
        if self.fails == "start":
            raise RuntimeError("no")

    async def stop(self) -> None:
        self.began.append("stop")

    async def process_batch(self, batch: Batch) -> Outputs:
        payloads = []
        for row in range(len(batch)):
            assert batch.payloads.value(row)["n"] == self.count, "a message was lost or doubled"
            payloads.append(stamped(batch.payloads.value(row), self.version))
            self.count += 1
        return Outputs(
            [OutputPart(batch.replace(payloads=JsonPayloads(payloads)), range(len(batch)))]
        )

    async def export_state(self) -> bytes:
        self.began.append("export")
        return str(self.count).encode()

    async def import_state(self, state: bytes) -> None:
        if self.fails == "import":
            raise PluginError("cannot read that state")
        self.count = int(state)


class TestState:
    async def test_is_handed_over(self, house: House, tmp_path: Path) -> None:
        """Under load each version goes on exactly where the one before it was."""
        managed = await house.load(candidate(Counter("1.0.0"), 1))
        versions = [f"1.0.{number}" for number in range(11)]
        async with Stream(tmp_path, managed, workers=1) as stream:
            for version in versions[1:]:
                await stream.flows()
                assert "switched" == (await house.reload(Counter(version), workers=1)).outcome
            await stream.flows()
        stream.check(*versions)

    @pytest.mark.parametrize("fails", ["start", "import"])
    async def test_stays_when_the_new_version_fails(
        self, house: House, tmp_path: Path, fails: str
    ) -> None:
        """A version that cannot take the state over leaves it with the old one."""
        old = Counter("1.0.0")
        managed = await house.load(candidate(old, 1))
        async with Stream(tmp_path, managed, workers=1) as stream:
            await stream.flows()
            report = await house.reload(Counter("1.0.1", fails=fails), workers=1)
            await stream.flows()
        assert ("rolled_back", "start") == (report.outcome, report.step)
        stream.check("1.0.0")

    async def test_that_is_not_handed_over(self, house: House) -> None:
        """A stateful plugin that cannot give its state is refused a reload."""

        class Mute(Counter):
            export_state = None  # type: ignore[assignment]

        await house.load(candidate(Mute("1.0.0"), 1))
        report = await house.reload(Counter("1.0.1"), workers=1)
        assert ("refused", "plugin.reload_refused") == (report.outcome, report.code)


class Sink(Witness):
    """A consumer that makes nothing durable before it is flushed."""

    shared: Witness

    def __init__(self, version: str, shared: Witness, *, fails: str = "") -> None:
        super().__init__()
        self.version = version
        self.shared = shared
        self.fails = fails
        self.taken = -1
        self.flushed = -1
        self.began: list[str] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("sink", self.version, "consumer")

    async def start(self, context: Context) -> None:
        self.began.append("start")
        if self.fails == "start":
            raise RuntimeError("no")

    async def stop(self) -> None:
        self.began.append("stop")

    async def consume(self, delivery: Delivery) -> int | None:
        if self.fails == "consume":
            raise PluginError("cannot")
        await self.shared.consume(delivery)
        self.taken = delivery.completed_through
        return None

    async def flush(self) -> int | None:
        self.flushed = self.taken
        return self.flushed


class Keeper(Sink):
    """A consumer that keeps its position: two of them may not work at once."""

    async def durable_position(self) -> int | None:
        return self.flushed


@pytest.mark.parametrize("kind", [Sink, Keeper])
class TestConsumer:
    async def test_flushes_before_another_takes_over(
        self, house: House, tmp_path: Path, kind: type[Sink]
    ) -> None:
        """The old version has made durable all it took; the new one gets what comes then."""
        house.settings(probation_s=0.0)
        witness = Witness()
        sinks = [kind(f"1.0.{number}", witness) for number in range(4)]
        managed = await house.load(candidate(sinks[0]))
        async with Stream(tmp_path, sink=managed, witness=witness) as stream:
            for sink in sinks[1:]:
                await stream.flows()
                assert "switched" == (await house.reload(sink)).outcome
            await stream.flows()
        stream.check("")
        assert all(sink.taken == sink.flushed for sink in sinks)
        assert [sink.taken for sink in sinks] == sorted({sink.taken for sink in sinks})
        assert witness.count - 1 == stream.pipeline.checkpoint_position

    async def test_that_does_not_start(
        self, house: House, tmp_path: Path, kind: type[Sink]
    ) -> None:
        """A version that does not start costs nothing: the old one goes on."""
        witness = Witness()
        managed = await house.load(candidate(kind("1.0.0", witness)))
        async with Stream(tmp_path, sink=managed, witness=witness) as stream:
            await stream.flows()
            report = await house.reload(kind("1.0.1", witness, fails="start"))
            await stream.flows()
        assert ("rolled_back", "start") == (report.outcome, report.step)
        stream.check("")


async def test_a_consumer_that_fails_what_the_old_one_took(house: House, tmp_path: Path) -> None:
    """A new version that cannot take its deliveries is rolled back; the old one takes them."""
    witness = Witness()
    managed = await house.load(candidate(Sink("1.0.0", witness)))
    async with Stream(tmp_path, sink=managed, witness=witness) as stream:
        await stream.flows()
        await house.reload(Sink("1.0.1", witness, fails="consume"))
        await stream.until(lambda: "rolled_back" in house.kinds())
        await stream.flows()
    stream.check("")
    assert "1.0.0" == managed.metadata().version


class Tide(Base):
    """A source of numbers that says which version read each; it waits where it is told to."""

    def __init__(self, version: str, *, last: int = 10**9, waits_at: int = -1) -> None:
        self.version = version
        self.last = last
        self.waits_at = waits_at
        self.waiting = asyncio.Event()
        self.closed = False
        self.acknowledged: list[int] = []

    def metadata(self) -> PluginMetadata:
        return PluginMetadata("tide", self.version, "source")

    async def describe(self) -> SourceDescription:
        return SourceDescription(identity="tide")

    async def acknowledge(self, completed_through: int) -> None:
        self.acknowledged.append(completed_through)

    async def read(self, after: Resume | None) -> AsyncIterator[SourceBatch]:
        n = after.position + 1 if after else 0
        try:
            while n <= self.last:
                if n == self.waits_at:
                    self.waiting.set()
                    await asyncio.sleep(3600)
                # Two rows a position, one a batch: a row may be read whose position is not whole.
                for half in (0, 1):
                    value = {"n": 2 * n + half, "version": self.version}
                    through = n if half else n - 1
                    yield SourceBatch(Batch.of("Number", [value]), [n], through)
                n += 1
                await asyncio.sleep(0)
        finally:
            self.closed = True


class TestSource:
    async def test_goes_on_where_the_old_one_was(self, house: House, tmp_path: Path) -> None:
        """Each row is read once, whichever version reads it, whenever it takes over."""
        house.settings(probation_s=0.0)
        tides = [Tide(f"1.0.{number}") for number in range(6)]
        managed = await house.load(candidate(tides[0]))
        async with Stream(tmp_path, source=managed) as stream:
            for tide in tides[1:]:
                await stream.flows()
                assert "switched" == (await house.reload(tide)).outcome
            await stream.flows()
            tides[-1].last = 0
        stream.check(*(tide.version for tide in tides))
        assert all(tide.closed for tide in tides)
        assert (stream.witness.count // 2) - 1 == stream.pipeline.checkpoint_position

    async def test_that_waits_for_a_row(self, house: House, tmp_path: Path) -> None:
        """A source that is silent is replaced at once; nobody waits for its next row."""
        old, new = Tide("1.0.0", waits_at=20), Tide("1.0.1", last=40)
        managed = await house.load(candidate(old))
        witness = Witness()

        run = pipeline(tmp_path, managed, None, handle(witness))
        running = asyncio.create_task(run.run())
        await asyncio.wait_for(old.waiting.wait(), 30)
        await house.reload(new)
        outcome = await asyncio.wait_for(running, 30)
        assert ([], [], 82) == (outcome.failures, witness.wrong, witness.count)
        assert ["1.0.0", "1.0.1"] == witness.runs

    async def test_many_times_without_a_row(self, house: House, tmp_path: Path) -> None:
        """Reloads of a silent source are no failures: they use up no repetition."""
        house.settings(probation_s=0.0)
        tide = Tide("1.0.0", waits_at=0)
        managed = await house.load(candidate(tide))

        run = pipeline(tmp_path, managed, None, handle(Witness()))
        running = asyncio.create_task(run.run())
        for number in range(1, 40):
            await asyncio.wait_for(tide.waiting.wait(), 30)
            tide = Tide(f"1.0.{number}", waits_at=0)
            await house.reload(tide)
        await asyncio.wait_for(tide.waiting.wait(), 30)
        assert not running.done()
        run.stop()
        assert [] == (await asyncio.wait_for(running, 30)).failures
