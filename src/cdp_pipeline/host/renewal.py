"""Look again at what a running pipeline's plugins are made from: their files, their configuration.

Only what may change under a running pipeline is looked at: a stage that is there still, and uses
the same plugin. A pipeline file that has faults now changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from cdp_pipeline.artifacts.cases import Case
from cdp_pipeline.config import load_pipeline
from cdp_pipeline.config.pipeline import PipelineConfig
from cdp_pipeline.config.stage import StageConfig
from cdp_pipeline.host.components import Component, Resolver
from cdp_pipeline.host.plugins import Plugins
from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.instance import Candidate, Renew
from cdp_pipeline.observability.logs import mask_logs


def candidate_of(component: Component, cases: Sequence[Case] = ()) -> Candidate:
    """Return what an instance of *component* is made from.

    Args:
        component: The component.
        cases: What it must answer before it is trusted.
    """
    stage = component.stage
    return Candidate(
        launch=component.found.launch,
        config_of=component.config_of,
        workers=stage.workers if isinstance(stage, StageConfig) else 1,
        cases=cases,
        origin=component.origin,
        masked=component.secrets.masked,
    )


class Renewal:
    """Resolves the components of one pipeline again, as its file says now."""

    def __init__(
        self, pipeline: PipelineConfig, plugins: Plugins, environ: Mapping[str, str]
    ) -> None:
        self._pipeline = pipeline
        self._plugins = plugins
        self._environ = environ
        self._secrets = pipeline.secrets

    def of(self, component: Component) -> Renew:
        """Return what looks again at *component*."""
        self._hide_secrets_of(component)

        async def renew() -> Candidate:
            again = await asyncio.to_thread(self.again, component)
            return candidate_of(again, again.found.cases(again.config))

        return renew

    def again(self, component: Component) -> Component:
        """Return *component* as it is now.

        Raises:
            ReloadRefused: It is not there any more, or is something else.
            CdpError: The pipeline file has faults.
        """
        pipeline = self._current()
        stage = next(
            (s for s in (pipeline.source, *pipeline.stages) if s.name == component.name), None
        )
        if stage is None or stage.component != component.stage.component:
            now = "is gone" if stage is None else f"uses `{stage.component}`"
            raise ReloadRefused(
                f"expected stage `{component.name}` to use `{component.stage.component}`, it {now}",
                where=str(pipeline.file),
                hint="stop the pipeline and run it again",
            )
        found = Resolver(pipeline, self._plugins, self._environ).resolve(stage)
        self._hide_secrets_of(found)
        mask_logs(self._secrets.masked)
        return found

    def _current(self) -> PipelineConfig:
        """Return what the file says now; while there is none, what it said last."""
        file = self._pipeline.file
        if file.is_file():
            self._pipeline = load_pipeline(file, self._environ)
        return self._pipeline

    def _hide_secrets_of(self, component: Component) -> None:
        """Hide them from now on, beside all those before: an old version may still say them."""
        texts = component.secrets.texts
        self._secrets = self._secrets.including(texts)
