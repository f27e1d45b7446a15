"""Conformance runs on plugins of this repository, and on faulty ones made for a test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cdp_pipeline.runtimes import native
from cdpplugin import testing

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"

Run = Callable[..., testing.Report]


@pytest.fixture(scope="module")
def environ() -> Mapping[str, str]:
    """The environment, the caches of compilers left where they are."""
    return {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}


@pytest.fixture
def run() -> Run:
    """Try plugin objects, made by a function, on the named cases."""

    def run(create: Callable[[], Any], *names: str, direct: bool = False, **how: Any) -> Any:
        @asynccontextmanager
        async def launch() -> Any:
            plugin = create()
            yield plugin if direct else native.handle(plugin, workers=4)

        subject = testing.Subject(name="made here", launch=launch, **how)
        return asyncio.run(testing.run(subject, names=names))

    return run
