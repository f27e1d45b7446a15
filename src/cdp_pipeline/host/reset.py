"""Start a pipeline over: forget its checkpoint and the position of every consumer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cdp_pipeline.config.paths import state_folder
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.engine.checkpoint import CheckpointStore
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.lock import run_lock
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.host.running import checked
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.manager.settings import ManagerSettings
from cdpplugin import Context


async def forget(
    config: PipelineConfig, environ: Mapping[str, str], catalog: Catalog | None = None
) -> list[str]:
    """Reset a pipeline: its consumers' positions, its checkpoint, its dead letters.

    Returns:
        What was done, a line each.

    Raises:
        CdpError: The pipeline is running, or a consumer cannot forget.
    """
    components = checked(config, environ, Plugins(catalog or Catalog(), environ))
    folder = state_folder(config.name, environ)
    done: list[str] = []
    with run_lock(folder, config.name):
        async with assembly.configured(components[1:], PluginManager(ManagerSettings())) as handles:
            for component, handle in zip(components[1:], handles, strict=True):
                if handle.metadata().type == "consumer":
                    context = Context(config.name, component.name, config.network)
                    lines = await assembly.forget(component, handle, context)
                    done += [f"{component.name}: {line}" for line in lines]
        if CheckpointStore(folder / "checkpoint.json").remove():
            done.append(f"removed the checkpoint {folder / 'checkpoint.json'}")
        if DeadLetters(Path(config.dead_letter.path)).remove():
            done.append("removed the dead letters")
    return done
