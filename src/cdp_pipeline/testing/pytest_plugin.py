"""The fixture `start_test_plugin` for pytest, which finds this module by its entry point.

It is imported by every run of pytest in an environment that has the host, so it imports nothing
until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdpplugin.testing import TestPlugin


@pytest.fixture(name="start_test_plugin")
def _each_test() -> Iterator[Callable[..., TestPlugin]]:
    """Start plugins for one test, which stops them: `cdp_pipeline.testing.start_test_plugin`."""
    with _stopping() as start:
        yield start


@pytest.fixture(name="start_session_test_plugin", scope="session")
def _each_session() -> Iterator[Callable[..., TestPlugin]]:
    """Start plugins that all tests of a session may share, such as one that starts slowly."""
    with _stopping() as start:
        yield start


@contextmanager
def _stopping() -> Iterator[Callable[..., TestPlugin]]:
    with ExitStack() as started:

        def start(*arguments: Any, **options: Any) -> TestPlugin:
            from cdp_pipeline.testing.starting import start_test_plugin

            return started.enter_context(start_test_plugin(*arguments, **options))

        yield start
