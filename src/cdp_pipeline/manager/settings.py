"""How a host manages its plugins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerSettings:
    """How plugins are watched and replaced; times in seconds.

    Attributes:
        health_interval_s: Between two health checks of a plugin.
        health_timeout_s: Longest wait for what it says.
        unhealthy_threshold: Failed checks in a row that make it unhealthy.
        healthy_threshold: Good checks in a row that make it healthy again.
        probation_s: How long a new version may still be rolled back after it took over.
        reload_timeout_s: Longest wait for a loaded new version to be ready.
        drain_timeout_s: Longest wait for the calls of an instance that is replaced.
        stop_timeout_s: Longest wait for the end of an instance that works for nobody.
        quarantine_wait_s: How long messages wait for a plugin in quarantine before it fails them.
        max_plugins: Most plugins that run at a time.
        max_replacements: Unhealthy instances replaced within the window before quarantine.
        replacement_window_s: Length of that sliding window.
        replacement_delay_s: Wait before the first replacement; doubled with each one.
    """

    health_interval_s: float = 10.0
    health_timeout_s: float = 10.0
    unhealthy_threshold: int = 3
    healthy_threshold: int = 2
    probation_s: float = 10.0
    reload_timeout_s: float = 120.0
    drain_timeout_s: float = 60.0
    stop_timeout_s: float = 60.0
    quarantine_wait_s: float = 0.0
    max_plugins: int = 64
    max_replacements: int = 5
    replacement_window_s: float = 300.0
    replacement_delay_s: float = 0.5
