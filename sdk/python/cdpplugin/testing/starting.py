"""Start a plugin in a unit test.

    with start_test_plugin(large_payments, config={"least": 10}) as plugin:
        assert plugin.process({"type": "Payment", "payload": {"amount": 5}}) is None

It runs in the process of the test, behind the handle by which a host runs it too. The host's
`cdp_pipeline.testing.start_test_plugin` is this function for folders and files besides.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from cdpplugin import handles
from cdpplugin.delivery import Context
from cdpplugin.errors import PluginError
from cdpplugin.function import FunctionConsumer, FunctionProcessor, FunctionSource
from cdpplugin.metadata import PluginMetadata
from cdpplugin.protocols import Plugin
from cdpplugin.testing.bench import Launch
from cdpplugin.testing.life import Life
from cdpplugin.testing.plugin import TestPlugin

CONTEXT = Context("test", "test")
"""What a plugin is told at its start where the test does not say."""
TIMEOUT_S = 60.0
"""How long a call of a test may take."""

_FORMS: Mapping[str, Callable[..., Plugin]] = {
    "source": FunctionSource,
    "processor": FunctionProcessor,
    "consumer": FunctionConsumer,
}


def start_test_plugin(
    plugin: Plugin | type[Plugin] | PluginMetadata,
    function: Callable[..., Any] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    context: Context = CONTEXT,
    timeout_s: float = TIMEOUT_S,
) -> TestPlugin:
    """Configure and start a plugin; whoever starts it stops it, or uses it as a context manager.

    Args:
        plugin: What a decorator of `cdpplugin` made, a plugin object or its class; or the
            metadata of one that is made of *function*.
        function: A function as `serve_processor`, `serve_source` and `serve_consumer` take it.
        config: The configuration, `{}` without one.
        context: What the plugin is told at its start.
        timeout_s: How long a call may take, in seconds.

    Raises:
        PluginError: It refuses its configuration (`ConfigInvalid`), does not start, or is none.
    """
    made = _plugin(plugin, function)
    return start_launched(lambda: _in_process(made), config, context, timeout_s)


def start_launched(
    launch: Launch, config: Mapping[str, Any] | None, context: Context, timeout_s: float
) -> TestPlugin:
    """Configure and start what *launch* gives; the rest is as in `start_test_plugin`."""
    return TestPlugin(Life(launch, config or {}, context), timeout_s)


@asynccontextmanager
async def _in_process(plugin: Plugin) -> AsyncIterator[Any]:
    yield handles.handle(plugin)


def _plugin(given: Any, function: Callable[..., Any] | None) -> Plugin:
    if isinstance(given, PluginMetadata) and function is not None:
        kind = given.type or "processor"
        return _FORMS[kind](replace(given, type=kind), function)
    made = given() if inspect.isclass(given) else given
    if isinstance(made, Plugin):
        return made
    raise PluginError(
        f"expected a plugin to test, got `{type(given).__name__}`",
        code="plugin.load_failed",
        hint="decorate the function with `cdpplugin.processor`, `consumer` or `source`, or hand "
        "over its metadata and the function",
    )
