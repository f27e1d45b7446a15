"""Writes a deterministic, valid Stellar ledger lake, for demonstrations, tests and benchmarks.

`LakeSpec` says what to write, `generate_ledgers` yields the ledgers and `write_lake` stores
them as a Galexie lake (SEP-54). The same spec gives the same bytes on every machine. The network
is invented: its accounts, assets and contracts exist nowhere else, but every hash, signature,
balance and event in it is consistent with the rest.
"""

from __future__ import annotations

from .lake_writer import LakeSummary, write_lake
from .ledgers import GeneratedLedger, generate_ledgers
from .spec import LakeOccupied, LakeSpec, LakeSpecInvalid

__all__ = [
    "GeneratedLedger",
    "LakeOccupied",
    "LakeSpec",
    "LakeSpecInvalid",
    "LakeSummary",
    "generate_ledgers",
    "write_lake",
]
