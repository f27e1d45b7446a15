"""Read ledger lakes as Galexie writes them (SEP-54): folders, S3, GCS, Azure, plain HTTP.

    lake = await open_lake("s3://bucket/ledgers/pubnet")
    async for ledgers in read_ledgers(lake, 30822015, 30822025):
        ...

Nothing here knows of pipelines.
"""

from __future__ import annotations

from .address import StoreOptions
from .catalog import Lake, open_lake
from .gaps import Gap, find_gaps
from .inspect import LakeSummary, summarize
from .layout import Layout
from .ledger import LedgerHeader, RawLedger, read_header, verify_header_hash
from .manifest import LakeSettings, Manifest
from .moment import parse_moment
from .range import (
    first_ledger_at_or_after,
    last_ledger_at_or_before,
    newest_ledger,
    oldest_ledger,
)
from .reader import ReadOptions, read_ledgers
from .retry import RetryPolicy

__all__ = [
    "Gap",
    "Lake",
    "LakeSettings",
    "LakeSummary",
    "Layout",
    "LedgerHeader",
    "Manifest",
    "RawLedger",
    "ReadOptions",
    "RetryPolicy",
    "StoreOptions",
    "find_gaps",
    "first_ledger_at_or_after",
    "last_ledger_at_or_before",
    "newest_ledger",
    "oldest_ledger",
    "open_lake",
    "parse_moment",
    "read_header",
    "read_ledgers",
    "summarize",
    "verify_header_hash",
]
