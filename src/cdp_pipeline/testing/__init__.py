"""Doubles that fulfil the real contract, and plugins started in tests.

Its members are imported when they are asked for: pytest imports this package in every run.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedProcessor, ScriptedSource
    from cdp_pipeline.testing.starting import start_test_plugin

__all__ = ["MemoryConsumer", "ScriptedProcessor", "ScriptedSource", "start_test_plugin"]


def __getattr__(name: str) -> Any:
    if name == "start_test_plugin":
        from cdp_pipeline.testing import starting

        return starting.start_test_plugin
    if name in __all__:
        from cdp_pipeline.testing import doubles

        return getattr(doubles, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
