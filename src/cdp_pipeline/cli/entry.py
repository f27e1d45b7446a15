"""Where `flowctl` begins: nothing is imported before an interrupt can be answered quietly."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    # gRPC's core writes lines of its own about what our errors tell; it reads this when imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from cdp_pipeline.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # ExitCode.INTERRUPTED, which may not have been imported yet
