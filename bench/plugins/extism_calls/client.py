"""Calls a module through Extism's Python SDK, once a message, and prints the seconds.

Arguments: the module, a file with a payload a line, the number of messages.
"""

from __future__ import annotations

import sys
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import extism  # type: ignore[import-not-found]


def main(module: str, payloads: list[bytes], messages: int) -> float:
    """Return the seconds from the first call to the last answer."""
    plugin = extism.Plugin({"wasm": [{"path": module}]}, wasi=True)
    changed = 0
    for payload in payloads[:100]:
        plugin.call("process", payload)
    begun_s = perf_counter()
    for payload in islice(cycle(payloads), messages):
        changed += b'"processed":true' in bytes(plugin.call("process", payload))
    ended_s = perf_counter()
    if changed != messages:
        raise SystemExit(f"expected {messages} changed messages, got {changed}")
    return ended_s - begun_s


if __name__ == "__main__":
    lines = Path(sys.argv[2]).read_bytes().splitlines()
    print(main(sys.argv[1], lines, int(sys.argv[3])))
