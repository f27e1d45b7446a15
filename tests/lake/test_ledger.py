"""The header of a ledger, read without decoding the ledger."""

from __future__ import annotations

import struct
from hashlib import sha256
from pathlib import Path

import pytest
from conftest_ledgers import ledger_xdr
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipeline.connectors.stellar.lake.errors import (
    HashMismatch,
    LakeError,
    UnknownLedgerVersion,
)
from cdp_pipeline.connectors.stellar.lake.ledger import (
    LedgerTruncated,
    read_header,
    verify_header_hash,
)

