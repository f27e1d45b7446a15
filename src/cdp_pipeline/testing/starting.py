"""Start a plugin in a unit test: a folder in its real runtime, a Python file, an object.

with start_test_plugin("plugins/enrich-go", config={"families": ["payment"]}) as plugin:
    output = plugin.process({"type": "operations", "payload": {"type_string": "payment"}})
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cdp_pipeline.config.paths import cache_folder
from cdp_pipeline.testing.launchers import Launchers, target_of
from cdp_pipeline.testing.sample import Sample
from cdpplugin import Context, Plugin, PluginMetadata, testing
from cdpplugin.testing.starting import CONTEXT, TIMEOUT_S, start_launched


def start_test_plugin(
    plugin: str | os.PathLike[str] | Plugin | type[Plugin] | PluginMetadata,
    function: Callable[..., Any] | None = None,
    *,
    config: Mapping[str, Any] | None = None,
    context: Context = CONTEXT,
    timeout_s: float = TIMEOUT_S,
    grants: bool = True,
) -> testing.TestPlugin:
    """Start a plugin as a pipeline would; see `cdpplugin.testing.start_test_plugin`.

    Args:
        plugin: What that function takes; or the path of a folder or a manifest, of a Python file
            (`FILE.py`, `FILE.py:NAME`) or of a `.wasm` file. A folder is built first where
            it must be, and runs confined as ever. What a plugin prints is logged (`logging`).
        function: As there.
        config: As there.
        context: As there.
        timeout_s: As there. A start has no bound: it may have to build.
        grants: Whether a plugin gets what its manifest asks for under `permissions`.

    Raises:
        CdpError: The plugin is not found, cannot be built or loaded.
        PluginError: It refuses its configuration, or does not start.
    """
    if not isinstance(plugin, str | os.PathLike):
        return testing.start_test_plugin(
            plugin, function, config=config, context=context, timeout_s=timeout_s
        )
    path = os.fspath(plugin)
    return start_launched(lambda: _launched(path, grants), config, context, timeout_s)


@asynccontextmanager
async def _launched(path: str, grants: bool) -> AsyncIterator[Any]:
    environ = dict(os.environ)
    launchers = Launchers(environ, Path(cache_folder(environ)), PluginLog, grants=grants)
    # A sample of its own, so that one beside the plugin is not looked for.
    subject = await launchers.subject(target_of(path), Sample())
    async with subject.launch() as handle:
        yield handle


class PluginLog:
    """Hands what a plugin prints to `logging`, so that a test runner shows it where a test fails.

    Args:
        reference: The plugin's `name@version`, a part of the logger's name.
    """

    def __init__(self, reference: str) -> None:
        self._logger = logging.getLogger(f"cdp.{reference}")

    def __getattr__(self, level: str) -> Callable[..., None]:
        number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)

        def log(message: str, **fields: Any) -> None:
            self._logger.log(number, "%s %s", message, fields or "")

        return log
