"""Call a plugin on the only thread there is: the SDK's handles, without threads of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cdpplugin.batch import Batch
from cdpplugin.delivery import Context, Delivery
from cdpplugin.errors import Fatal, PluginError, Retry
from cdpplugin.function import as_plugin_error
from cdpplugin.handles import ConsumerHandle, PluginHandle, ProcessorHandle, exit_refused
from cdpplugin.outputs import Outputs
from cdpplugin.protocols import Plugin


class _Inline(PluginHandle):
    """Calls plain methods where it is called itself."""

    async def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        try:
            answer = method(*arguments)
            return await answer if inspect.isawaitable(answer) else answer
        except SystemExit as error:
            raise exit_refused(error) from error


class InlineProcessor(_Inline, ProcessorHandle):
    """A processor."""


class InlineConsumer(_Inline, ConsumerHandle):
    """A consumer, which has made durable what it has answered.

    A component is told no positions, so those that its deliveries have only count messages,
    from 1 in each life.
    """

    _position = 0

    async def start(self, context: Context) -> None:
        """Start the plugin, unless it would go by positions.

        Raises:
            Fatal: plugin.component_unsupported; it keeps a position of its own.
        """
        await super().start(context)
        if await self.durable_position() is not None:
            raise Fatal(
                f"consumer `{self.metadata().reference}` keeps a position, "
                "and a component is told none",
                code="plugin.component_unsupported",
                hint="run it in a process of its own",
            )

    async def process_batch(self, batch: Batch) -> Outputs:
        """Take the messages of *batch*, each by itself, and make all of them durable."""
        errors: dict[int, PluginError] = {}
        for row in range(len(batch)):
            self._position += 1
            delivery = Delivery(batch.slice(row, row + 1), [self._position], self._position)
            try:
                await self.consume(delivery)
            except (Retry, Fatal):
                raise
            except Exception as error:
                errors[row] = as_plugin_error(error)
        await self.flush()
        return Outputs(errors=errors)


def handle(plugin: Plugin) -> InlineProcessor | InlineConsumer:
    """Return *plugin*, a processor or a consumer, behind the asynchronous contract."""
    is_consumer = plugin.metadata().type == "consumer"
    return InlineConsumer(plugin) if is_consumer else InlineProcessor(plugin)
