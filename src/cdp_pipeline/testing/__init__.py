"""Doubles that fulfil the real contract, for tests of pipelines and plugins."""

from cdp_pipeline.testing.doubles import MemoryConsumer, ScriptedProcessor, ScriptedSource

__all__ = ["MemoryConsumer", "ScriptedProcessor", "ScriptedSource"]
