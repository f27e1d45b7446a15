"""Reads and changes every message, with the Python SDK."""

from __future__ import annotations

import cdpplugin


def change(message: cdpplugin.Message) -> cdpplugin.Message:
    """Parse the payload, add a field, hand it on."""
    message.payload["processed"] = True
    return message


cdpplugin.serve_processor(cdpplugin.PluginMetadata("change-python", "1.0.0"), change)
