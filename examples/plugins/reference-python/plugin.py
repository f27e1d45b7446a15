"""The reference plugins in Python: they do what `spec/conformance.md` says, and nothing else.

python plugin.py processor      serves one of them
plugin.py:ReferenceProcessor    is how a host loads one natively
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from consumer import ReferenceConsumer
from processor import ReferenceProcessor
from source import ReferenceSource

import cdpplugin

PLUGINS: dict[str, Callable[[], cdpplugin.Plugin]] = {
    "processor": ReferenceProcessor,
    "source": ReferenceSource,
    "consumer": ReferenceConsumer,
}

if __name__ == "__main__":
    cdpplugin.serve(PLUGINS[sys.argv[1]](), workers=4)
