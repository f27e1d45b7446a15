"""Put a checked pipeline together: plugin objects, handles, engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.stage import BreakerConfig, StageConfig
from cdp_pipeline.config.stage import ErrorPolicy as PolicyConfig
from cdp_pipeline.engine.batcher import BatchLimits
from cdp_pipeline.engine.pipeline import ConsumerStep, ProcessorStep, Step
from cdp_pipeline.engine.policy import ErrorPolicy, delay_s
from cdp_pipeline.engine.spec import BreakerTerms, StageSpec
from cdp_pipeline.errors import CdpError, ConfigError, PluginFault
from cdp_pipeline.host.components import Component, require_kind
from cdp_pipeline.host.launch import Handle, runtime_of
from cdp_pipeline.host.renewal import Renewal, candidate_of
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.manager import PluginManager
from cdp_pipeline.observability.logs import logger
from cdpplugin import (
    ConfigInvalid,
    Consumer,
    Context,
    PluginError,
    PluginMetadata,
    Retry,
    SourceDescription,
)
from cdpplugin.function import as_plugin_error

_CONSUMER_LIMITS = BatchLimits(rows=10_000, size_bytes=64 << 20)
"""A consumer takes whatever is waiting: it writes better in bulk."""


@asynccontextmanager
async def configured(
    components: Sequence[Component], manager: PluginManager, renewal: Renewal | None = None
) -> AsyncIterator[list[Any]]:
    """Give a new, configured handle of each component; stop them all in the reverse order.

    Args:
        components: The components.
        manager: Manages what is loaded.
        renewal: Looks again at what they are made from; without it none can be reloaded.

    Raises:
        ConfigError: A plugin refuses its configuration, or is of the wrong kind.
        CdpError: One cannot be loaded.
    """
    handles: list[Any] = []
    complete = False
    try:
        for component in components:
            handles.append(await _launched(component, manager, renewal))
            await _configure(component, handles[-1])
        complete = True
        yield handles
    finally:
        for component, handle in reversed(list(zip(components, handles, strict=False))):
            await _stop(component, handle, loud=complete)


@asynccontextmanager
async def started(
    config: PipelineConfig,
    components: Sequence[Component],
    manager: PluginManager,
    renewal: Renewal | None = None,
) -> AsyncIterator[tuple[SourceDescription, list[Any]]]:
    """Give what `configured` does, each plugin started, in order, and what the source reads.

    Without a source among *components* that is a description that names nothing.

    Raises:
        CdpError: One cannot be loaded, configured or started.
    """
    async with configured(components, manager, renewal) as handles:
        stream = SourceDescription(identity="", network=config.network)
        schemas: dict[str, Mapping[str, Any]] = {}
        for component, handle in zip(components, handles, strict=True):
            metadata = handle.metadata()
            context = Context(config.name, component.name, stream.network, dict(schemas))
            policy = stage_spec(component, config, metadata).on_error
            await start(component, handle, context, policy)
            if metadata.type == "source":
                stream = await handle.describe()
            schemas.update(metadata.output_schema)
        yield stream, handles


async def _launched(
    component: Component, manager: PluginManager, renewal: Renewal | None
) -> Managed:
    try:
        handle = await manager.load(
            component.name,
            component.stage.component,
            candidate_of(component),
            runtime=runtime_of,
            renew=renewal.of(component) if renewal else None,
            not_reloadable=component.found.not_reloadable,
        )
    except CdpError as error:
        error.where = error.where or component.where
        raise
    try:
        require_kind(component.stage, handle.metadata().type, component.where)
    except ConfigError:
        await _stop(component, handle, loud=False)
        raise
    return handle


async def _configure(component: Component, handle: Handle) -> None:
    try:
        await handle.configure(component.config)
    except CdpError:  # it does not fit the schema that the plugin has only now told
        raise
    except ConfigInvalid as error:
        raise refused(component, error) from error
    except Exception as error:
        raise fault(component, as_plugin_error(error), "configure") from error


async def _stop(component: Component, handle: Handle, *, loud: bool) -> None:
    """Stop *handle*; one that was never started may be at a loss, which nobody needs to hear."""
    try:
        await handle.stop()
    except Exception as error:
        if loud:
            logger(stage=component.name, plugin=component.reference).warning(
                "stop failed", error=component.secrets.masked(str(error))
            )


async def forget(component: Component, handle: Consumer, context: Context) -> Sequence[str]:
    """Let a consumer forget its position; return what it did.

    Raises:
        PluginFault: It cannot.
    """
    try:
        return await handle.forget(context)
    except Exception as error:
        raise fault(component, as_plugin_error(error), "forget its position") from error


async def start(
    component: Component, handle: Handle, context: Context, policy: ErrorPolicy
) -> None:
    """Start *handle*; a plugin that asks for a retry is started again, as *policy* says.

    Raises:
        PluginFault: It does not start.
        ConfigError: It finds only now that its configuration cannot be used.
    """
    attempt = 0
    while True:
        try:
            return await handle.start(context)
        except ConfigInvalid as error:
            raise refused(component, error) from error
        except Exception as caught:
            attempt += 1
            failure = as_plugin_error(caught)
            if not isinstance(failure, Retry) or attempt > policy.attempts:
                raise fault(component, failure, "start") from caught
        wait_s = delay_s(policy, attempt, failure.after_s)
        logger(stage=component.name, plugin=component.reference).warning(
            "start failed, trying again",
            error=component.secrets.masked(str(failure)),
            code=failure.code,
            wait_s=round(wait_s, 2),
        )
        await asyncio.sleep(wait_s)


def refused(component: Component, error: ConfigInvalid) -> ConfigError:
    """Return *error* as the user is told: which stage, and where it stands in the file."""
    return ConfigError(
        component.secrets.masked(f"`{component.name}`: {error}"),
        code=error.code,
        where=component.where,
        hint=error.hint,
    )


def fault(component: Component, error: PluginError, doing: str) -> CdpError:
    """Return *error* as the user is told: which stage, which plugin, doing what."""
    return PluginFault(
        component.secrets.masked(f"`{component.name}` could not {doing}: {error}"),
        code=error.code,
        where=component.reference,
        hint=component.secrets.masked(error.hint),
    )


def stage_spec(
    component: Component, pipeline: PipelineConfig, metadata: PluginMetadata
) -> StageSpec:
    """Return how the engine is to run *component*, whose plugin said *metadata*."""
    stage = component.stage
    if not isinstance(stage, StageConfig):
        return StageSpec(
            name=component.name,
            plugin=metadata.reference,
            on_error=_policy(PolicyConfig(action="retry")),
            limits=BatchLimits(),
        )
    limits = stage.batch.over(pipeline.batch)
    own = BatchLimits(limits.rows, limits.bytes, limits.linger)
    in_bulk = metadata.type == "consumer" and not stage.batch.model_fields_set
    return StageSpec(
        name=component.name,
        plugin=metadata.reference,
        on_error=_policy(stage.error_policy(metadata.type)),
        limits=_CONSUMER_LIMITS if in_bulk else own,
        workers=1
        if metadata.stateful
        else min(stage.workers, stage.max_in_flight or stage.workers),
        takes=frozenset(metadata.input_types),
        breaker=_breaker(stage.error_policy(metadata.type).breaker),
    )


def _breaker(config: BreakerConfig | None) -> BreakerTerms | None:
    if config is None:
        return None
    return BreakerTerms(
        failure_rate=config.failure_rate,
        rows=config.rows,
        window_s=config.window,
        pause_s=config.pause,
    )


def _policy(config: PolicyConfig) -> ErrorPolicy:
    return ErrorPolicy(
        config.action,
        config.attempts,
        config.initial_delay,
        config.max_delay,
        config.jitter,
        config.then,
    )


def step(component: Component, handle: Any, pipeline: PipelineConfig) -> Step:
    """Return *component* as a step of the engine."""
    spec = stage_spec(component, pipeline, handle.metadata())
    if handle.metadata().type == "consumer":
        return ConsumerStep(spec, handle)
    return ProcessorStep(spec, handle)
