"""What the host tells a plugin reaches its code, and what the plugin tells reaches the host."""

from __future__ import annotations

from cdpplugin.delivery import Context
from cdpplugin.testing.asking import ask_on, do
from cdpplugin.testing.bench import Bench
from cdpplugin.testing.case import Skipped, case, equal, require
from cdpplugin.testing.samples import AWKWARD

SCHEMAS = {
    "Payment": {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 2**63}}},
    "Überweisung": {"description": AWKWARD["texts"][2]},
}


@case("processor", reference=True)
async def reaches(bench: Bench) -> None:
    """Pipeline, stage, network and schemas reach the start."""
    told = Context("a pipeline é", "the stage", "Public Global Stellar Network", SCHEMAS)
    async with bench.life(context=told) as handle:
        answer = await ask_on(handle, bench, do("context"))
    expected = {
        "pipeline": told.pipeline,
        "stage": told.stage,
        "network": told.network,
        "schemas": SCHEMAS,
    }
    equal(expected, answer.one().payload, "the context")


@case("processor", reference=True)
async def health(bench: Bench) -> None:
    """Each state of health arrives with its message and its details."""
    async with bench.life() as handle:
        for number, state in enumerate(("degraded", "unhealthy", "healthy"), 1):
            await ask_on(handle, bench, do("health", status=state, message=f"I am {state} é"))
            status = await handle.health()
            equal(state, status.status, "the state")
            equal(f"I am {state} é", status.message, "the message")
            equal({"changes": number, "é": ["text", None, True]}, dict(status.details), "details")


@case("processor", reference=True)
async def life_once(bench: Bench) -> None:
    """A plugin is started once and, when its instance is gone, has been stopped once."""
    if "diary" not in bench.metadata.config_schema.get("properties", {}):
        raise Skipped("the plugin has no files to keep a diary in")
    async with bench.folder() as folder:
        diary = folder / "diary"
        async with bench.life(diary=str(diary)) as handle:
            equal("start\n", diary.read_text(), "the diary after the start")
            await ask_on(handle, bench, do("echo"))
        equal("start\nstop\n", diary.read_text(), "the diary afterwards")


@case("processor", reference=True)
async def logs(bench: Bench) -> None:
    """A plugin that writes many log lines while it works answers all the same."""
    async with bench.life() as handle:
        answer = await ask_on(handle, bench, do("log", lines=1000), do("echo"))
    require(not answer.errors, f"rows failed: {dict(answer.errors)}")
    equal([1, 1], answer.counts, "the number of outputs")
