"""Run a pipeline from its configuration: start the plugins, run the engine, stop the plugins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cdp_pipeline.config.faults import raise_faults
from cdp_pipeline.config.paths import state_folder
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.secrecy import Secrets
from cdp_pipeline.config.settings import HostSettings
from cdp_pipeline.engine.checkpoint import CheckpointStore
from cdp_pipeline.engine.dead_letters import DeadLetters
from cdp_pipeline.engine.pipeline import Outcome, Pipeline, PipelineSpec
from cdp_pipeline.engine.statistics import RunStatistics
from cdp_pipeline.errors import CdpError, ConfigError, ExitCode
from cdp_pipeline.host import assembly
from cdp_pipeline.host.catalog import Catalog
from cdp_pipeline.host.components import Component
from cdp_pipeline.host.lock import run_lock
from cdp_pipeline.host.management import manager_settings, watch_files
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.host.renewal import Renewal
from cdp_pipeline.host.resumption import Resumption, decide
from cdp_pipeline.host.validation import check
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.observability.logs import logger, mask_logs
from cdpplugin import SourceDescription

Ending = Literal["completed", "already_completed", "nothing_read", "stopped", "failed"]


@dataclass(slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        ending: `completed`; `already_completed` (the range was durable before);
            `nothing_read`; `stopped` (on request, drained); `failed`.
        statistics: What it did.
        stream: What the source read.
        faults: What made it fail.
        dead_letters: The dead-letter file, where this pipeline puts its letters.
    """

    ending: Ending
    statistics: RunStatistics
    stream: SourceDescription
    faults: list[CdpError]
    dead_letters: Path

    @property
    def exit_code(self) -> ExitCode:
        """`OK` for a run that did all it could, else that of its first fault."""
        return self.faults[0].exit_code if self.faults else ExitCode.OK


@dataclass(slots=True)
class Running:
    """A run in progress.

    Attributes:
        pipeline: The engine's run.
        statistics: Live counters.
        stream: What the source reads.
        manager: Its plugins.
        name: The pipeline's name.
        folder: Its state folder.
        notes: What the user should know.
    """

    pipeline: Pipeline
    statistics: RunStatistics
    stream: SourceDescription
    manager: PluginManager
    name: str
    folder: Path
    notes: Sequence[str] = field(default_factory=list)


Started = Callable[[Running], None]
Serving = Callable[[Running], AbstractAsyncContextManager[Any]]


async def run_pipeline(
    config: PipelineConfig,
    environ: Mapping[str, str],
    *,
    catalog: Catalog | None = None,
    settings: HostSettings | None = None,
    on_started: Started | None = None,
    serving: Serving | None = None,
) -> RunResult:
    """Run *config* to its end.

    Args:
        config: The pipeline.
        environ: Environment variables, for state folders and paths.
        catalog: The components that can be named; by default those installed.
        settings: The host's settings.
        on_started: Called once all plugins run, with the run's handle (to show or stop it).
        serving: Serves the run to others for as long as it lasts.

    Raises:
        CdpError: The pipeline could not be started. What fails later is in the result.
    """
    settings = settings or HostSettings()
    plugins = Plugins(catalog or Catalog(), environ, settings)
    components = checked(config, environ, plugins)
    mask_logs(_secrets(config, components).masked)
    folder = state_folder(config.name, environ)
    manager = PluginManager(manager_settings(settings))
    renewal = Renewal(config, plugins, environ)
    with run_lock(folder, config.name):
        async with (
            assembly.started(config, components, manager, renewal) as (stream, handles),
            _watched(manager, renewal, config, components, settings),
        ):
            store = CheckpointStore(folder / "checkpoint.json")
            resumption = decide(config.name, stream, store, await _durable(components, handles))
            letters = _dead_letters(config, resumption)
            statistics = _statistics(components[0], stream, resumption)
            spec = _engine_spec(config, components, handles, store, resumption, letters)
            pipeline = Pipeline(spec, statistics)
            pipeline.on_stop = manager.hurry
            running = Running(
                pipeline, statistics, stream, manager, config.name, folder, resumption.notes
            )
            if on_started is not None:
                on_started(running)
            async with serving(running) if serving else nullcontext():
                outcome = await pipeline.run()
            statistics.checkpoint = pipeline.checkpoint_position
            faults = [_fault(components, handles, failure) for failure in outcome.failures]
    ending = _ending(outcome, statistics, stream)
    return RunResult(ending, statistics, stream, faults, letters.path)


def checked(
    config: PipelineConfig, environ: Mapping[str, str], plugins: Plugins
) -> list[Component]:
    """Return the source and the stages.

    Raises:
        CdpError: Something is wrong with one of them.
    """
    report = check(config, environ, plugins=plugins)
    raise_faults([f for f in report.faults if isinstance(f, ConfigError)], str(config.file))
    if report.faults:
        raise report.faults[0]
    assert report.source is not None
    for note in report.notes:
        logger(pipeline=config.name).warning(note)
    return [report.source, *report.stages]


def _secrets(config: PipelineConfig, components: Sequence[Component]) -> Secrets:
    """Return what no line of a run may show, also one that a library writes."""
    texts = (text for component in components for text in component.secrets.texts)
    return config.secrets.including(texts)


@asynccontextmanager
async def _watched(
    manager: PluginManager,
    renewal: Renewal,
    config: PipelineConfig,
    components: Sequence[Component],
    settings: HostSettings,
) -> AsyncIterator[None]:
    """Watch the health of the plugins, and their files, until the run ends."""
    manager.watch()
    files = asyncio.create_task(watch_files(manager, renewal, config, components, settings))
    try:
        yield
    finally:
        files.cancel()
        await asyncio.gather(files, return_exceptions=True)
        await manager.end()


async def _durable(
    components: Sequence[Component], handles: Sequence[Any]
) -> dict[str, int | None]:
    return {
        component.name: await handle.durable_position()
        for component, handle in zip(components, handles, strict=True)
        if handle.metadata().type == "consumer"
    }


def _dead_letters(config: PipelineConfig, resumption: Resumption) -> DeadLetters:
    letters = DeadLetters(Path(config.dead_letter.path))
    letters.cut_after(resumption.resume.position if resumption.resume else None)
    return letters


def _statistics(
    source: Component, stream: SourceDescription, resumption: Resumption
) -> RunStatistics:
    resume = resumption.resume
    return RunStatistics(
        source=source.name,
        unit=stream.unit,
        first=stream.first,
        last=stream.last,
        resumed_from=resume.position if resume else None,
        position=resume.position if resume else None,
    )


def _engine_spec(
    config: PipelineConfig,
    components: Sequence[Component],
    handles: Sequence[Any],
    store: CheckpointStore,
    resumption: Resumption,
    letters: DeadLetters,
) -> PipelineSpec:
    source, *stages = components
    source_handle, *stage_handles = handles
    return PipelineSpec(
        source_spec=assembly.stage_spec(source, config, source_handle.metadata()),
        source=source_handle,
        steps=[
            assembly.step(component, handle, config)
            for component, handle in zip(stages, stage_handles, strict=True)
        ],
        store=store,
        checkpoint=resumption.checkpoint,
        resume=resumption.resume,
        dead_letters=letters,
        checkpoint_interval_s=config.checkpoint.interval,
    )


def _fault(components: Sequence[Component], handles: Sequence[Any], failure: Any) -> CdpError:
    """Return what made a stage give up, as the user is told."""
    stages = zip(components, handles, strict=True)
    component, handle = next((c, h) for c, h in stages if c.name == failure.spec.name)
    at = "" if failure.position is None else f" at position {failure.position}"
    fault = assembly.fault(component, failure.error, "go on" + at)
    fault.where = handle.metadata().reference
    return fault


def _ending(outcome: Outcome, statistics: RunStatistics, stream: SourceDescription) -> Ending:
    if outcome.failures:
        return "failed"
    if outcome.stopped:
        return "stopped"
    if statistics.rows_read:
        return "completed"
    done = statistics.resumed_from
    ended = stream.last is not None and done is not None and done >= stream.last
    return "already_completed" if ended else "nothing_read"
