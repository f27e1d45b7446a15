"""A plugin starts only where the machine has what it asks for."""

from __future__ import annotations

import pytest

from cdp_pipeline.manager.admission import AdmissionRefused, Machine, admit
from cdpplugin import PluginMetadata, ResourceRequirements
from tests.manager.conftest import House, Stamp, candidate

MACHINE = Machine(memory_mb=1000, cpu_shares=2048, has_gpu=False)


def asking(**resources: int | bool) -> PluginMetadata:
    return PluginMetadata("p", "1.0.0", resources=ResourceRequirements(**resources))  # type: ignore[arg-type]


RUNNING = [ResourceRequirements(min_memory_mb=600, cpu_shares=1024)]


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"min_memory_mb": 400},
        {"cpu_shares": 1024},
        {"max_memory_mb": 5000},
    ],
)
def test_what_fits(resources: dict[str, int]) -> None:
    """What is left is enough."""
    admit(asking(**resources), RUNNING, MACHINE, 2)


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ({"min_memory_mb": 401}, "1000 MiB of memory, of which 1001 MiB"),
        ({"cpu_shares": 1025}, "2048 cpu shares"),
        ({"gpu_required": True}, "no graphics processor"),
    ],
)
def test_what_does_not(resources: dict[str, int], says: str) -> None:
    """The refusal says what there is and what would be needed, and what to do."""
    with pytest.raises(AdmissionRefused, match=says) as raised:
        admit(asking(**resources), RUNNING, MACHINE, 2)
    assert ("plugin.admission_refused", "p@1.0.0") == (raised.value.code, raised.value.where)
    assert raised.value.hint


def test_this_machine() -> None:
    """What this machine has is found out."""
    machine = Machine.this()
    assert machine.memory_mb > 100
    assert machine.cpu_shares >= 1024


async def test_too_many(house: House) -> None:
    """One plugin more than `max_plugins` is refused, and stopped."""
    house.settings(max_plugins=1)
    await house.load(candidate(Stamp()), "first")
    second = Stamp()
    with pytest.raises(AdmissionRefused, match="at most 1 plugins"):
        await house.load(candidate(second), "second")
    assert ["stop"] == second.began
    assert ["first"] == [status.name for status in house.manager.statuses()]
