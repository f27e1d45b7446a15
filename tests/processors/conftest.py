"""Processors as a user configures them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cdp_pipeline.connectors.processors.filter import Filter
from cdp_pipeline.connectors.processors.flatten import Flatten
from cdp_pipeline.connectors.processors.map import Map

Configure = Callable[..., Any]


def _configured(kind: type[Any]) -> Configure:
    def configure(**config: Any) -> Any:
        processor = kind()
        asyncio.run(processor.configure(config))
        return processor

    return configure


@pytest.fixture
def filter_of() -> Configure:
    """Make a `filter` of settings."""
    return _configured(Filter)


@pytest.fixture
def map_of() -> Configure:
    """Make a `map` of settings; `set_` stands for `set`."""
    return lambda **config: _configured(Map)(**{k.rstrip("_"): v for k, v in config.items()})


@pytest.fixture
def flatten_of() -> Configure:
    """Make a `flatten` of settings; `as_` stands for `as`."""
    return lambda **config: _configured(Flatten)(**{k.rstrip("_"): v for k, v in config.items()})
