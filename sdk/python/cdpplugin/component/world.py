"""The functions of the world `cdp:plugin/plugin@1.0.0` over one plugin.

Source: `spec/wit/plugin.wit`, `spec/wasm-abi.md` section 7. The plugin is called through the
SDK's own handles, as it is in a process: it behaves alike in both.
"""

from __future__ import annotations

import base64
import binascii
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import cdpplugin
from cdpplugin.component import reading, told, writing
from cdpplugin.component.inline import handle
from cdpplugin.component.loop import Loop
from cdpplugin.delivery import Context
from cdpplugin.errors import Drop, PluginError
from cdpplugin.function import as_plugin_error
from cdpplugin.log import get_logger
from cdpplugin.metadata import HealthStatus
from cdpplugin.protocols import KeepsState, Plugin

Refusal = Callable[[str], Exception]
"""Makes the exception that answers a call with an error."""

_EVERY = ("metadata", "configure", "start", "process", "process-batch", "health", "stop")
_STATE = ("export-state", "import-state")


def exports_of(plugin: Plugin) -> Sequence[str]:
    """Return the functions of the world that *plugin* has, by their names there."""
    return (*_EVERY, *_STATE) if isinstance(plugin, KeepsState) else _EVERY


class World:
    """What a component exports.

    Args:
        plugin: The plugin, a processor or a consumer.
        refusal: Makes the exception by which a function answers with an error text.
    """

    def __init__(self, plugin: Plugin, refusal: Refusal) -> None:
        self._handle = handle(plugin)
        self._refusal = refusal
        self._loop = Loop()
        self._encoding = self._handle.metadata().input_encoding

    def metadata(self) -> str:
        """Say who the plugin is."""
        return told.metadata_text(self._handle.metadata(), f"python/{cdpplugin.__version__}")

    def configure(self, config: str) -> str:
        """Hand over the configuration."""
        return self._answer(self._configure(config))

    async def _configure(self, config: str) -> str:
        await self._handle.configure(told.object_of(config, "the configuration"))
        return ""

    def start(self, context: str) -> str:
        """Start the plugin."""
        return self._answer(self._start(context))

    async def _start(self, context: str) -> str:
        facts = told.object_of(context, "the context")
        known = {name: facts[name] for name in Context.__dataclass_fields__ if name in facts}
        await self._handle.start(Context(**known))
        return ""

    def process(self, message: str) -> str:
        """Process one message."""
        return self._answer(self._process(message))

    async def _process(self, message: str) -> str:
        received = reading.read_one(message, self._encoding)
        outputs = await self._handle.process_batch(received.batch)
        for reason in outputs.dropped:
            raise Drop(reason)
        return writing.write_one(outputs, received)

    def process_batch(self, messages: str) -> str:
        """Process many messages."""
        return self._answer(self._process_batch(messages))

    async def _process_batch(self, messages: str) -> str:
        received = reading.read(messages, self._encoding)
        return writing.write(await self._handle.process_batch(received.batch), received)

    def health(self) -> str:
        """Say how the plugin is; one that cannot say is unhealthy."""
        try:
            return told.health_text(self._loop.run(self._handle.health()))
        except BaseException as error:  # one that left here would end the instance
            return told.health_text(HealthStatus("unhealthy", told.error_facts(error)["message"]))

    def stop(self) -> str:
        """Stop the plugin."""
        return self._answer(self._stop())

    async def _stop(self) -> str:
        await self._handle.stop()
        return ""

    def export_state(self) -> str:
        """Return the plugin's state, bytes, as base64."""
        return self._answer(self._export_state())

    async def _export_state(self) -> str:
        return base64.b64encode(await self._handle.export_state()).decode()

    def import_state(self, state: str) -> str:
        """Hand over the state of the instance that this one replaces."""
        return self._answer(self._import_state(state))

    async def _import_state(self, state: str) -> str:
        try:
            held = base64.b64decode(state, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PluginError(
                f"expected a state in base64, got something else: {error}",
                code="plugin.state_invalid",
                hint="hand over what `export-state` of this SDK gave",
            ) from error
        await self._handle.import_state(held)
        return ""

    def _answer(self, work: Coroutine[Any, Any, str]) -> str:
        try:
            return self._loop.run(work)
        except BaseException as error:  # one that left here would end the instance
            _note(error)
            raise self._refusal(told.error_text(error)) from None


def _note(error: BaseException) -> None:
    """Log where an error comes from that nobody meant to raise."""
    if not isinstance(error, Exception) or as_plugin_error(error) is not error:
        lines = "".join(traceback.format_exception(error))
        get_logger().error(f"a call failed: {error}", traceback=lines)
