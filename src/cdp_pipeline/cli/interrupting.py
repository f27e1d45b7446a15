"""Work that ends cleanly on Ctrl-C: plugins are stopped, and a second one waits for nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from cdp_pipeline.cli.report import exit_at_once

_HARD_STOP_S = 2.0
"""How long plugins have to stop after a second signal, in seconds."""


def run_until_signal(work: Coroutine[Any, Any, None]) -> int:
    """Run *work* to its end; return 0, or the number of the signal that ended it before."""
    return asyncio.run(_guarded(work))


async def _guarded(work: Coroutine[Any, Any, None]) -> int:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    got: list[int] = []

    def on_signal(number: int) -> None:
        got.append(number)
        if len(got) == 1:
            task.cancel()
        else:
            loop.call_later(_HARD_STOP_S, exit_at_once)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        await task
    except asyncio.CancelledError:
        if not got:
            raise
        return got[0]
    return 0
