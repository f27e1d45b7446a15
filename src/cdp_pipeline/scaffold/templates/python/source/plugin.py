"""Serves the plugin."""

import cdpplugin

from counter import Counter

counter = Counter()
metadata = cdpplugin.PluginMetadata(
    name="my-plugin",
    version="0.1.0",
    type="source",
    description="Counts",
    output_types=["number"],
)

cdpplugin.serve_source(metadata, counter.read, configure=counter.configure)
