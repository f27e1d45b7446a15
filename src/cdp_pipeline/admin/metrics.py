"""The numbers of a run for Prometheus: one table is what is measured, exposed and documented.

The format is Prometheus' text format 0.0.4, written by its own client library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from cdp_pipeline.admin.answers import RunStatus
from cdp_pipeline.admin.subject import RunState, Subject
from cdp_pipeline.manager.lifecycle import State

Sample = tuple[tuple[str, ...], float | None]
"""The values of the labels after `pipeline`, and the number; None where there is none yet."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured.

    Attributes:
        name: Its name, with the unit; a counter's samples end in `_total`.
        kind: A `counter` only grows while a run lasts, a `gauge` is what it is now.
        help: What it means.
        labels: What tells its samples apart, beside `pipeline`.
        samples: Takes its numbers out of a run.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[RunStatus], Iterable[Sample]]

    @property
    def shown_name(self) -> str:
        """The name that its samples have."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_STAGE: Final = ("stage", "kind")
_PLUGIN: Final = ("stage", "plugin", "version", "kind", "runtime")


def _run(field: str) -> Callable[[RunStatus], Iterable[Sample]]:
    return lambda run: [((), getattr(run, field))]


def _stages(field: str) -> Callable[[RunStatus], Iterable[Sample]]:
    return lambda run: (((s.name, s.kind), getattr(s, field)) for s in run.stages)


def _plugins(field: str) -> Callable[[RunStatus], Iterable[Sample]]:
    def samples(run: RunStatus) -> Iterator[Sample]:
        for plugin in run.plugins:
            version = plugin.reference.rpartition("@")[2]
            labels = (plugin.name, plugin.plugin, version, plugin.kind, plugin.runtime)
            yield labels, float(getattr(plugin, field))

    return samples


def _run_states(run: RunStatus) -> Iterator[Sample]:
    for state in get_args(RunState):
        yield (state,), float(state == run.state)


def _plugin_states(run: RunStatus) -> Iterator[Sample]:
    for plugin in run.plugins:
        for state in get_args(State):
            yield (plugin.name, plugin.plugin, state), float(state == plugin.state)


def _health(run: RunStatus) -> Iterator[Sample]:
    for plugin in run.plugins:
        for health in ("healthy", "degraded", "unhealthy", "unknown"):
            yield (plugin.name, plugin.plugin, health), float(health == plugin.health)


METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "cdp_run_state",
        "gauge",
        "1 for what the run does now, else 0: `running`, `paused` or `draining`.",
        ("state",),
        _run_states,
    ),
    Metric("cdp_run_seconds", "gauge", "Seconds since the run began.", (), _run("elapsed_s")),
    Metric("cdp_source_rows", "counter", "Rows that the source gave.", (), _run("rows_read")),
    Metric("cdp_source_bytes", "counter", "Bytes of their payloads.", (), _run("size_bytes_read")),
    Metric(
        "cdp_source_position", "gauge", "Position of the newest row read.", (), _run("position")
    ),
    Metric(
        "cdp_source_last_position",
        "gauge",
        "Last position of a bounded range; none where there is no end.",
        (),
        _run("last"),
    ),
    Metric(
        "cdp_checkpoint_position",
        "gauge",
        "Position through which everything is durable; none for nothing yet.",
        (),
        _run("checkpoint"),
    ),
    Metric("cdp_stage_rows_in", "counter", "Rows handed to a stage.", _STAGE, _stages("rows_in")),
    Metric(
        "cdp_stage_rows_out",
        "counter",
        "Rows that it gave; of a consumer: rows that it took.",
        _STAGE,
        _stages("rows_out"),
    ),
    Metric(
        "cdp_stage_dropped_rows",
        "counter",
        "Rows left out on purpose, by instruction or by policy.",
        _STAGE,
        _stages("dropped"),
    ),
    Metric(
        "cdp_stage_errors",
        "counter",
        "Errors met, also those that a retry mended.",
        _STAGE,
        _stages("failed"),
    ),
    Metric("cdp_stage_retries", "counter", "Repetitions.", _STAGE, _stages("retried")),
    Metric(
        "cdp_stage_dead_letters",
        "counter",
        "Rows put among the dead letters.",
        _STAGE,
        _stages("dead_lettered"),
    ),
    Metric(
        "cdp_stage_busy_seconds",
        "counter",
        "Seconds spent in the plugin, summed over workers.",
        _STAGE,
        _stages("busy_s"),
    ),
    Metric(
        "cdp_plugin_state",
        "gauge",
        "1 for the state that a plugin is in, else 0.",
        ("stage", "plugin", "state"),
        _plugin_states,
    ),
    Metric(
        "cdp_plugin_health",
        "gauge",
        "1 for how a plugin is, else 0: `healthy`, `degraded`, `unhealthy` or `unknown`.",
        ("stage", "plugin", "health"),
        _health,
    ),
    Metric("cdp_plugin_in_flight", "gauge", "Calls in progress.", _PLUGIN, _plugins("in_flight")),
    Metric("cdp_plugin_calls", "counter", "Calls answered.", _PLUGIN, _plugins("calls")),
    Metric("cdp_plugin_rows", "counter", "Rows handed to it.", _PLUGIN, _plugins("rows")),
    Metric(
        "cdp_plugin_failed_rows",
        "counter",
        "Rows that came back as errors, or with a call that failed.",
        _PLUGIN,
        _plugins("failed_rows"),
    ),
    Metric(
        "cdp_plugin_replacements",
        "counter",
        "How often an instance took another's place because it was unhealthy.",
        _PLUGIN,
        _plugins("replacements"),
    ),
    Metric(
        "cdp_plugin_reloads",
        "counter",
        "How often new code or configuration took over.",
        _PLUGIN,
        _plugins("reloads"),
    ),
)
"""Everything that is measured."""


class _Of(Collector):
    """The metrics of one run at one moment."""

    def __init__(self, run: RunStatus) -> None:
        self._run = run

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        for metric in METRICS:
            labels = ("pipeline", *metric.labels)
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = make(metric.name, metric.help, labels=labels)
            for values, number in metric.samples(self._run):
                if number is not None:
                    family.add_metric([self._run.pipeline, *values], number)
            yield family


def exposition(subject: Subject) -> bytes:
    """Return the numbers of *subject* as they are now, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Of(RunStatus.of(subject)))
    return generate_latest(registry)
