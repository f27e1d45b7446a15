"""How a plugin is, as commands and the admin API show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from cdp_pipeline.manager.lifecycle import State

Outcome = Literal["switched", "rolled_back", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """One plugin of a running pipeline.

    Attributes:
        name: Its stage, unique in the pipeline.
        plugin: The name under `plugins` in the pipeline file, or the component's type.
        reference: `name@version`.
        kind: `source`, `processor` or `consumer`.
        runtime: `native`, `grpc`, `container` or `wasm`.
        state: Where it is in its life.
        reason: Why it is not running as it should; else empty.
        since: When it came into this state, ISO 8601 in UTC.
        health: `healthy`, `degraded`, `unhealthy`, or `unknown` before the first check.
        health_message: What it said of its health.
        confinement: For each limit or permission the mechanism that enforces it.
        in_flight: Calls in progress.
        calls: Calls answered, by all its instances.
        rows: Rows handed to it.
        failed_rows: Rows that came back as errors, or with a call that failed.
        replacements: How often an instance took another's place because it was unhealthy.
        reloads: How often new code or configuration took over.
        on_probation: Whether a new version may still be rolled back.
        is_reloadable: Whether it can be reloaded.
    """

    name: str
    plugin: str
    reference: str
    kind: str
    runtime: str
    state: State
    reason: str = ""
    since: str = ""
    health: str = "unknown"
    health_message: str = ""
    confinement: Mapping[str, str] = field(default_factory=dict)
    in_flight: int = 0
    calls: int = 0
    rows: int = 0
    failed_rows: int = 0
    replacements: int = 0
    reloads: int = 0
    on_probation: bool = False
    is_reloadable: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self) | {"confinement": dict(self.confinement)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """How a reload went.

    Attributes:
        plugin: The stage.
        before: `name@version` that ran before.
        after: `name@version` that was to run; empty where it was not even loaded.
        outcome: `switched`; `rolled_back`: the new one failed, the old one goes on; `refused`:
            it could not be tried.
        step: The step that failed: `load`, `configure`, `start`, `health`, `self-test`, `switch`.
        code: Error code, empty for success.
        error: What went wrong, empty for success.
        hint: What can be done about it.
        timings_s: Seconds that each step took, and `total`.
    """

    plugin: str
    before: str
    after: str = ""
    outcome: Outcome = "switched"
    step: str = ""
    code: str = ""
    error: str = ""
    hint: str = ""
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self) | {"timings_s": dict(self.timings_s)}
