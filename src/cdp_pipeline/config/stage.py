"""One step of a pipeline: which component, its configuration, and what to do on errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field

from cdp_pipeline.config.model import (
    DurationS,
    Frozen,
    PositiveDurationS,
    PositiveSizeBytes,
    ShortForm,
)
from cdpplugin.metadata import PluginKind

Action = Literal["fail", "retry", "drop", "dead_letter"]
LastAction = Literal["fail", "drop", "dead_letter"]
_ONE_COMPONENT = ConfigDict(
    json_schema_extra={"oneOf": [{"required": ["type"]}, {"required": ["plugin"]}]}
)


class BreakerConfig(Frozen):
    """When a stage that fails most messages is left alone for a while."""

    failure_rate: float = Field(
        default=0.5, ge=0, lt=1, description="Share of messages given up above which it opens."
    )
    rows: int = Field(
        default=100, ge=1, description="Messages in the window before their share counts."
    )
    window: PositiveDurationS = Field(default=10.0, description="Length of the window.")
    pause: PositiveDurationS = Field(
        default=30.0, description="Time for which the stage is left alone; then it is tried again."
    )


class ErrorPolicy(Frozen):
    """What happens to a message whose processing fails."""

    action: Action = Field(
        default="fail",
        description="`fail` stops the pipeline, `retry` tries again, `drop` leaves the message "
        "out, `dead_letter` sets it aside.",
    )
    attempts: int = Field(default=10, ge=1, description="Most tries again, for `retry`.")
    initial_delay: DurationS = Field(
        default=0.2, description="Wait before the first try again; doubled each time."
    )
    max_delay: DurationS = Field(default=30.0, description="Longest wait between two tries.")
    jitter: float = Field(
        default=0.2, ge=0, le=1, description="Share of each wait that is left to chance."
    )
    then: LastAction = Field(default="fail", description="What happens when all tries are used up.")
    breaker: BreakerConfig | None = Field(
        default=None,
        description="Holds the stream up when most messages are dropped or set aside, as when a "
        "service behind the plugin is away; `{}` takes the defaults. Processors only.",
    )


class BatchConfig(Frozen):
    """When a batch is full enough to move on; whichever comes first."""

    rows: int = Field(default=1000, ge=1, description="Most messages in a batch.")
    bytes: PositiveSizeBytes = Field(
        default=4 * 2**20, description="Most payload bytes in a batch, or `4MiB`."
    )
    linger: DurationS = Field(
        default=0.0,
        description="Longest wait for a batch to fill, in seconds or `100ms`; with 0 a batch "
        "takes what is already waiting.",
    )

    def over(self, base: BatchConfig) -> BatchConfig:
        """Return this batch's own keys, and those of *base* for the rest."""
        return base.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})


class ComponentConfig(Frozen):
    """A component: built in or found by its `type`, or a `plugin` of the pipeline's list."""

    type: str = Field(default="", min_length=1, description="Name of a component.")
    plugin: str = Field(
        default="", min_length=1, description="Name of a plugin listed under `plugins`."
    )
    name: str = Field(
        default="",
        min_length=1,
        description="Name in logs, metrics and errors; else made from `type` or `plugin`.",
    )
    config: Mapping[str, Any] = Field(
        default={}, repr=False, description="The component's own configuration."
    )

    @property
    def component(self) -> str:
        """The name of the plugin, or of the type."""
        return self.plugin or self.type


class SourceConfig(ComponentConfig):
    """Where a pipeline's messages come from."""

    model_config = _ONE_COMPONENT


_DEFAULT_POLICIES: Mapping[PluginKind, ErrorPolicy] = {
    "source": ErrorPolicy(action="retry"),
    "processor": ErrorPolicy(),
    "consumer": ErrorPolicy(action="retry"),
}


class StageConfig(ComponentConfig):
    """A processor, or a consumer; a consumer passes its input on to the next stage."""

    model_config = _ONE_COMPONENT

    on_error: (
        Annotated[ErrorPolicy, ShortForm(lambda text: {"action": text}, get_args(Action))] | None
    ) = Field(
        default=None,
        description="What happens to a message that fails. Without it a processor fails; "
        "a consumer retries, then fails.",
    )
    workers: int = Field(
        default=1, ge=1, description="Batches worked on at the same time; order is kept."
    )
    max_in_flight: int | None = Field(
        default=None,
        ge=1,
        description="Most batches sent to a plugin and not yet answered; "
        "without it the plugin's runtime chooses.",
    )
    batch: BatchConfig = Field(
        default=BatchConfig(),
        description="Batch sizes of this stage; keys left out are the pipeline's.",
    )

    def error_policy(self, kind: PluginKind) -> ErrorPolicy:
        """Return what happens on errors, given what *kind* of component this turned out to be."""
        return self.on_error or _DEFAULT_POLICIES[kind]
