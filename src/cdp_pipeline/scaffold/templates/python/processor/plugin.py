"""Serves the plugin."""

import cdpplugin

from large_transfers import LargeTransfers

transfers = LargeTransfers()
metadata = cdpplugin.PluginMetadata(
    name="my-plugin",
    version="0.1.0",
    description="Marks large transfers and leaves out the others",
    input_types=["token_transfers"],
    output_types=["token_transfers"],
)

cdpplugin.serve_processor(metadata, transfers.process, configure=transfers.configure)
