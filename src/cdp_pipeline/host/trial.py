"""Try the configuration of built-in components without starting them.

By the contract `configure` opens nothing, so the mistakes that no JSON Schema can describe,
such as the syntax of an expression, are found before anything runs. A component that needs
to know its pipeline for that offers `check(context)`, which opens nothing either. Plugins of
strangers are left alone: their code runs only when the pipeline does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.errors import CdpError
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component
from cdp_pipeline.host.validation import Report
from cdp_pipeline.runtimes import native
from cdpplugin import ConfigInvalid, Context
from cdpplugin.function import as_plugin_error


async def configuration_faults(
    report: Report, pipeline: PipelineConfig, catalog: Catalog | None = None
) -> list[CdpError]:
    """Return what the built-in components of a checked pipeline refuse, in its order."""
    known = catalog or Catalog()
    source = [report.source] if report.source else []
    found: list[CdpError] = []
    for component in (*source, *report.stages):
        kind = component.stage.type
        if not component.stage.plugin and kind in known and known.is_built_in(kind):
            context = Context(pipeline.name, component.name, pipeline.network)
            fault = await _refusal(component, known.create(kind), context)
            found += [fault] if fault else []
    return found


async def _refusal(component: Component, plugin: Any, context: Context) -> CdpError | None:
    handle = native.handle(plugin)
    try:
        await handle.configure(component.config)
        if hasattr(plugin, "check"):
            plugin.check(context)
    except ConfigInvalid as error:
        return assembly.refused(component, error)
    except Exception as error:
        return assembly.fault(component, as_plugin_error(error), "configure")
    finally:
        with suppress(Exception):
            await handle.stop()
    return None
