"""The component types of the Go ancestor, cdp-pipeline-workflow, and what each becomes.

Data only: types, aliases and options are those of its two component factories and of its table of
aliases (facts gathered 2026-08; no code was taken).
"""

from cdp_pipeline.scaffold.ancestor.aliases import ALIASES, FIELD_ALIASES
from cdp_pipeline.scaffold.ancestor.consumers import CONSUMERS
from cdp_pipeline.scaffold.ancestor.counterpart import (
    EVERYWHERE,
    Condition,
    Counterpart,
    Dropped,
    Key,
    Lacking,
    Option,
)
from cdp_pipeline.scaffold.ancestor.processors import PROCESSORS
from cdp_pipeline.scaffold.ancestor.sources import (
    LAKES,
    OTHER_SOURCES,
    PUBLIC_LAKES,
    SOURCE_OPTIONS,
)

__all__ = [
    "ALIASES",
    "CONSUMERS",
    "EVERYWHERE",
    "FIELD_ALIASES",
    "LAKES",
    "OTHER_SOURCES",
    "PROCESSORS",
    "PUBLIC_LAKES",
    "SOURCE_OPTIONS",
    "Condition",
    "Counterpart",
    "Dropped",
    "Key",
    "Lacking",
    "Option",
]
