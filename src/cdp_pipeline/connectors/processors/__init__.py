"""Processors that work on any message."""
