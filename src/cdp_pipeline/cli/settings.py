"""The host's settings as commands use them: `flowctl.yaml` and `FLOWCTL_*` variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cdp_pipeline.config import HostSettings

SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="Settings file; by default $FLOWCTL_CONFIG, then ./flowctl.yaml, then "
        "$XDG_CONFIG_HOME/cdp/flowctl.yaml.",
        show_default=False,
    ),
]
USED = frozenset(
    {
        "health_interval",
        "hot_reload",
        "limits",
        "log_format",
        "max_plugins",
        "max_restarts",
        "plugin_folders",
        "quarantine_wait",
        "reload_debounce",
        "reload_window",
        "restart_window",
        "unhealthy_threshold",
    }
)
"""The settings that commands of this version heed."""


def host_settings(file: Path | None) -> HostSettings:
    """Return the host's settings, as `load_settings` finds them.

    Raises:
        ConfigError: The file that was named is missing, or a setting is wrong.
    """
    from cdp_pipeline.config import load_settings

    return load_settings(file, os.environ)


def unused(settings: HostSettings) -> list[str]:
    """Return a line for each setting that was made and that this version does not use."""
    made = [key for key in settings.document.data if not key.startswith("x-")]
    return [
        f"{settings.locations.where((key,))}: the setting `{key}` is not used by this version"
        for key in made
        if key not in USED
    ]
