"""A process that runs many messages through a pipeline and prints how its memory went.

    python -m bench.long_run MESSAGES

Prints one JSON object: `messages` and `rss_bytes`, a pair a sample, taken at the sink.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bench.functions import mark_processed, stage
from bench.rig import BATCH_ROWS, run_counted

SAMPLES = 200
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


class Sampler:
    """Reads the memory each time another share of the messages has arrived."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._next = every
        self.messages: list[int] = []
        self.rss_bytes: list[int] = []

    def watch(self, arrived: int) -> None:
        """Take a sample if it is time."""
        if arrived >= self._next:
            self._next = arrived + self._every
            self.messages.append(arrived)
            self.rss_bytes.append(resident_bytes())


def main() -> None:
    """Run, then print the samples."""
    messages = int(sys.argv[1])
    sampler = Sampler(max(BATCH_ROWS, messages // SAMPLES))
    run_counted([stage(mark_processed)], messages=messages, watch=sampler.watch)
    print(json.dumps({"messages": sampler.messages, "rss_bytes": sampler.rss_bytes}))


if __name__ == "__main__":
    main()
