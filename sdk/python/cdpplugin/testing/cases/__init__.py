"""The conformance cases, a module a group."""

from __future__ import annotations

GROUPS = (
    "metadata",
    "config",
    "life",
    "batches",
    "payloads",
    "load",
    "source",
    "consumer",
    "reference_config",
    "reference_context",
    "reference_outputs",
    "reference_errors",
    "reference_values",
    "reference_order",
    "reference_state",
    "reference_source",
    "reference_consumer",
)
"""In the order in which they are run; those of reference plugins come last."""
