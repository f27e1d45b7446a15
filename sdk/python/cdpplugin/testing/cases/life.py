"""A plugin starts, says how it is, and stops, whatever it has or has not done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, get_args, get_type_hints

from cdpplugin.delivery import Delivery
from cdpplugin.metadata import HealthStatus
from cdpplugin.payloads import encode_json
from cdpplugin.testing.bench import CONTEXT, Bench
from cdpplugin.testing.case import case, require
from cdpplugin.testing.checks import sound
from cdpplugin.testing.samples import batch_for, samples

_STATES = get_args(get_type_hints(HealthStatus)["status"])


@case()
async def health(bench: Bench) -> None:
    """A started plugin says how it is, again and again, and is not unhealthy."""
    handle = await bench.shared()
    for _ in range(3):
        status = await handle.health()
        _check(status)
        require(status.status != "unhealthy", f"it is unhealthy: {status.message}")


@case()
async def health_unstarted(bench: Bench) -> None:
    """A plugin says how it is before it is configured and started, too."""
    async with bench.instance() as handle:
        _check(await handle.health())


def _check(status: Any) -> None:
    require(isinstance(status, HealthStatus), f"got {type(status).__name__}")
    require(status.status in _STATES, f"`{status.status}` is none of {_STATES}")
    require(isinstance(status.message, str), f"its message is {status.message!r}")
    encode_json(dict(status.details))


@case()
async def stop_without_work(bench: Bench) -> None:
    """A plugin that was started and given nothing stops."""
    async with bench.life():
        pass


@case()
async def stop_unstarted(bench: Bench) -> None:
    """A plugin that was configured and never started stops."""
    async with bench.instance() as handle, bench.folder() as folder:
        await bench.configure(handle, folder)
        await handle.stop()


@case()
async def second_life(bench: Bench) -> None:
    """After a life has ended, a new instance works on the same configuration."""
    async with bench.folder() as folder:
        for _ in range(2):
            async with bench.life(folder) as handle:
                await _work(bench, handle)


@case()
async def two_lives(bench: Bench) -> None:
    """Two instances live side by side, and one ends without touching the other."""
    async with bench.life() as lasting:
        async with bench.life() as other:
            await _work(bench, other)
        await _work(bench, lasting)


@case("processor", "consumer")
async def stop_during_work(bench: Bench) -> None:
    """A plugin that is stopped while it works answers or refuses; nothing hangs."""
    async with bench.instance() as handle, bench.folder() as folder:
        await bench.configure(handle, folder)
        await handle.start(CONTEXT)
        working = asyncio.create_task(_work(bench, handle, rows=2000))
        try:
            await asyncio.sleep(0)
            await handle.stop()
            with suppress(Exception):  # a call that comes too late is refused
                await working
        finally:
            working.cancel()


async def _work(bench: Bench, handle: Any, rows: int = 0) -> None:
    """Let a started plugin do a little of what it is for."""
    if bench.metadata.type == "source":
        _check(await handle.health())
        return
    batch = batch_for(bench, samples(bench, rows))
    if bench.metadata.type == "processor":
        sound(await handle.process_batch(batch), len(batch), bench.metadata)
    else:
        await handle.durable_position()
        await handle.consume(Delivery(batch, [1] * len(batch), 1))
