"""Where `flowctl` begins: nothing is imported before an interrupt can be answered quietly."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from cdp_pipeline.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
