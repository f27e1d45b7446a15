"""A plugin that cannot go on as it is, whatever its runtime."""

from __future__ import annotations

from cdpplugin import Fatal


class PluginLost(Fatal):
    """Nothing but new code, a new configuration or a new start brings the plugin back."""

    code = "plugin.lost"
