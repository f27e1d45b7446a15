"""Writes its version into every message, with the Python SDK."""

from __future__ import annotations

import cdpplugin

VERSION = "1.0.0"


def stamp(message: cdpplugin.Message) -> cdpplugin.Message:
    """Parse the payload, add the version, hand it on."""
    message.payload["version"] = VERSION
    return message


cdpplugin.serve_processor(cdpplugin.PluginMetadata("stamp", VERSION, "processor"), stamp)
