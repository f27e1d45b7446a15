"""What launches a plugin, whatever its runtime: given how many workers, it returns a handle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cdp_pipeline.errors import PluginFault
from cdpplugin import PluginError

T = TypeVar("T")


def reporting(reference: str, work: Callable[[int], Awaitable[T]]) -> Callable[[int], Awaitable[T]]:
    """Return *work* as a launch; what goes wrong is told as a fault of the plugin *reference*.

    Raises:
        PluginFault: By what is returned, in the place of a `PluginError`.
    """

    async def launch(workers: int) -> T:
        try:
            return await work(workers)
        except PluginError as error:
            raise PluginFault(
                str(error), code=error.code, hint=error.hint, where=reference
            ) from error

    return launch
