"""Serves the plugin."""

import cdpplugin

from json_lines import JsonLines

lines = JsonLines()
metadata = cdpplugin.PluginMetadata(
    name="my-plugin",
    version="0.1.0",
    type="consumer",
    description="Appends messages to a file, one line of JSON each",
)

cdpplugin.serve_consumer(
    metadata, lines.consume, configure=lines.configure, start=lines.start, stop=lines.stop
)
