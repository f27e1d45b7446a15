"""A new version takes an old one's place: no row is lost, none doubled, none out of order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.artifacts.cases import Case
from cdpplugin import Batch, Fatal, HealthStatus, Outputs, PluginError, Retry
from tests.manager._stream import Stream
from tests.manager.conftest import House, Stamp, candidate


class TestSwitch:
    @pytest.mark.parametrize("workers", [1, 4])
    async def test_under_load(self, house: House, tmp_path: Path, workers: int) -> None:
        """Thirty versions, one after the other: each row is stamped once, the stamps only rise."""
        managed = await house.load(candidate(Stamp("1.0.0"), workers))
        versions = [f"1.0.{number}" for number in range(31)]
        async with Stream(tmp_path, managed, workers=workers) as stream:
            for version in versions[1:]:
                await stream.flows()
                report = await house.reload(Stamp(version), workers=workers)
                assert ("switched", version) == (report.outcome, report.after.partition("@")[2])
            await stream.flows()
        stream.check(*versions)

    async def test_of_many_parts(self, house: House, tmp_path: Path) -> None:
        """A parcel that is asked in parts is answered by one version, whatever comes meanwhile."""
        managed = await house.load(candidate(Stamp("1.0.0"), 4))
        async with managed.pinned() as first:
            before = await first.process_batch(Batch.of("T", [{"n": 1}]))
            await house.reload(Stamp("1.0.1"))
            after = await first.process_batch(Batch.of("T", [{"n": 2}]))
        later = await managed.process_batch(Batch.of("T", [{"n": 3}]))
        stamps = [o.parts[0].batch.payloads.value(0)["version"] for o in (before, after, later)]
        assert ["1.0.0", "1.0.0", "1.0.1"] == stamps

    async def test_stops_the_old_one_once(self, house: House) -> None:
        """Without a window the old version is stopped at once, once its calls are over."""
        house.settings(probation_s=0.0)
        old, new = Stamp("1.0.0"), Stamp("1.0.1")
        managed = await house.load(candidate(old))
        async with managed.pinned():
            reload = asyncio.create_task(house.reload(new))
            while managed.metadata().version != "1.0.1":
                await asyncio.sleep(0)
            assert ["configure", "start"] == old.began
        await reload
        assert (["configure", "start", "stop"], ["configure", "start"]) == (old.began, new.began)

    async def test_of_configuration_alone(self, house: House) -> None:
        """The same version with another configuration is a reload too."""
        await house.load(candidate(Stamp("1.0.0"), config={"limit": 1}))
        new = Stamp("1.0.0")
        report = await house.reload(new, config={"limit": 2})
        assert ("switched", {"limit": 2}) == (report.outcome, new.config)

    async def test_tells_how_long_each_step_took(self, house: House) -> None:
        """Report and event carry the time of each step; the events tell the whole story."""
        house.settings(probation_s=0.05)
        await house.load(candidate(Stamp("1.0.0")))
        report = await house.reload(Stamp("1.0.1"))
        assert {"load", "configure", "start", "health", "switch", "total"} == set(report.timings_s)
        async with asyncio.timeout(10):
            while "reload_confirmed" not in house.kinds():
                await asyncio.sleep(0.01)
        kinds = ["state", "reload_began", "reload_switched", "reload_confirmed"]
        assert kinds == house.kinds()
        assert report.timings_s == house.manager.events.after(2)[0].details["timings_s"]


def case(expect: Any) -> Case:
    payload = {"n": 7}
    return Case.model_validate(
        {"name": "seven", "input": {"type": "Number", "payload": payload}, "expect": expect}
    )


GOOD = case({"type": "Number", "payload": {"n": 7}})


class TestFailures:
    @pytest.mark.parametrize(
        ("new", "step", "code"),
        [
            (lambda: Stamp("1.0.1", fails="configure"), "configure", "plugin.failed"),
            (lambda: Stamp("1.0.1", fails="start"), "start", "plugin.failed"),
            (
                lambda: Stamp("1.0.1", health=HealthStatus("unhealthy", "sick")),
                "health",
                "plugin.unfit",
            ),
        ],
    )
    async def test_before_the_switch(
        self, house: House, tmp_path: Path, new: Any, step: str, code: str
    ) -> None:
        """What fails before it took over is ended; the old version answers every row."""
        managed = await house.load(candidate(Stamp("1.0.0")))
        plugin = new()
        async with Stream(tmp_path, managed) as stream:
            await stream.flows()
            report = await house.reload(plugin)
            await stream.flows()
        assert ("rolled_back", step, code) == (report.outcome, report.step, report.code)
        assert "stop" == plugin.began[-1]
        assert "rolled_back" == house.kinds()[-1]
        stream.check("1.0.0")

    @pytest.mark.parametrize(
        ("expect", "says"),
        [
            ({"payload": {"n": 8}}, "expected `payload.n` to be 8, got 7"),
            ({"type": "Other"}, "expected the type `Other`, got `Number`"),
            ({"metadata": {"seen": True}}, "expected `metadata.seen` to be true, got none"),
            ("drop", "expected 0 outputs, got 1"),
            ({"error": "odd.refused"}, "expected odd.refused, got no error"),
        ],
    )
    async def test_of_its_own_cases(self, house: House, expect: Any, says: str) -> None:
        """A version that fails a case of its own never takes over; the report tells how."""
        managed = await house.load(candidate(Stamp("1.0.0")))
        report = await house.reload(Stamp("1.0.1"), cases=[GOOD, case(expect)])
        assert ("rolled_back", "self-test") == (report.outcome, report.step)
        assert "`seven`" in report.error
        assert says in report.error
        assert "1.0.0" == managed.metadata().version

    async def test_good_cases(self, house: House) -> None:
        """A version that passes its cases takes over."""
        await house.load(candidate(Stamp("1.0.0")))
        assert "switched" == (await house.reload(Stamp("1.0.1"), cases=[GOOD])).outcome

    async def test_that_is_not_ready_in_time(self, house: House) -> None:
        """A version that hangs in its start is given up."""
        house.settings(reload_timeout_s=0.05)
        managed = await house.load(candidate(Stamp("1.0.0")))

        class Hangs(Stamp):
            async def start(self, context: Any) -> None:
                await asyncio.sleep(3600)

        report = await house.reload(Hangs("1.0.1"))
        assert ("rolled_back", "start", "plugin.unfit") == (
            report.outcome,
            report.step,
            report.code,
        )
        assert "1.0.0" == managed.metadata().version

    async def test_of_other_types(self, house: House) -> None:
        """A version that takes or gives other types is refused, naming them."""
        await house.load(candidate(Stamp("1.0.0", gives=("A",))))
        report = await house.reload(Stamp("1.0.1", gives=("A", "B")))
        assert ("refused", "plugin.reload_refused") == (report.outcome, report.code)
        assert "expected `output_types` of stamp@1.0.1 to be [A]" in report.error
        assert "reload_refused" == house.kinds()[-1]

    async def test_what_cannot_be_reloaded(self, house: House) -> None:
        """What is said not to be reloadable is refused with the reason."""
        await house.load(candidate(Stamp("1.0.0")), not_reloadable="it comes with the host")
        report = await house.reload(Stamp("1.0.1"))
        assert ("refused", "it comes with the host") == (report.outcome, report.error)


def failing(error: Exception) -> Any:
    def answer(batch: Batch) -> Any:
        raise error

    return answer


def failed_rows(batch: Batch) -> Outputs:
    return Outputs(errors={row: PluginError("no") for row in range(0, len(batch), 2)})


class TestProbation:
    @pytest.mark.parametrize(
        "answer",
        [
            failing(RuntimeError("crashes")),
            failing(Retry("is away", after_s=60.0)),
            failing(Fatal("cannot go on")),
            failed_rows,
        ],
        ids=["crash", "retry", "fatal", "rows"],
    )
    async def test_rolled_back(self, house: House, tmp_path: Path, answer: Any) -> None:
        """What a new version cannot do and the old one can is done by the old one, for good."""
        managed = await house.load(candidate(Stamp("1.0.0"), 4))
        new = Stamp("1.0.1", answer=answer)
        async with Stream(tmp_path, managed, workers=4) as stream:
            await stream.flows()
            assert "switched" == (await house.reload(new)).outcome
            await stream.until(lambda: "rolled_back" in house.kinds())
            await stream.flows()
            await stream.until(lambda: "stop" in new.began)
        stream.check("1.0.0")
        assert "1.0.0" == managed.metadata().version

    async def test_what_the_old_one_cannot_do_either(self, house: House) -> None:
        """A row that fails in both versions is no reason to go back."""
        managed = await house.load(candidate(Stamp("1.0.0", answer=failed_rows)))
        await house.reload(Stamp("1.0.1", answer=failed_rows))
        outputs = await managed.process_batch(Batch.of("T", [{"n": 0}, {"n": 1}]))
        assert [0] == list(outputs.errors)
        assert "1.0.1" == managed.metadata().version

    async def test_that_becomes_unhealthy(self, house: House) -> None:
        """A new version that is unhealthy within its window is rolled back."""
        house.settings(health_interval_s=0.01, unhealthy_threshold=2)
        managed = await house.load(candidate(Stamp("1.0.0")))
        house.manager.watch()
        new = Stamp("1.0.1")
        await house.reload(new)
        new.status = HealthStatus("unhealthy", "sick")
        async with asyncio.timeout(10):
            while managed.metadata().version != "1.0.0":
                await asyncio.sleep(0.01)
        assert "rolled_back" in house.kinds()

    async def test_another_reload_ends_it(self, house: House) -> None:
        """The next version confirms the one before it."""
        old, first, second = Stamp("1.0.0"), Stamp("1.0.1"), Stamp("1.0.2")
        await house.load(candidate(old))
        await house.reload(first)
        assert "stop" not in old.began
        await house.reload(second)
        assert ("stop" in old.began, "stop" in first.began) == (True, False)
