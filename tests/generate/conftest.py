"""The generated ledgers that most tests look at, made and decoded once."""

from __future__ import annotations

import pytest

from cdp_pipeline.connectors.stellar.generate import LakeSpec
from tests.generate.closed import Closed, closed_ledgers

MODERN = LakeSpec(ledgers=48, first_ledger=90, seed=7, transactions_per_ledger=16)
BEFORE_23 = LakeSpec(ledgers=8, seed=3, meta_version=1)
BACKFILLED = LakeSpec(ledgers=8, seed=3, meta_version=1, unified_events=True)
SILENT = LakeSpec(ledgers=8, seed=3, unified_events=False)


@pytest.fixture(scope="session")
def modern() -> list[Closed]:
    """Protocol 23, `LedgerCloseMeta` V2, unified events; holds an upgrade and evictions."""
    return list(closed_ledgers(MODERN))


@pytest.fixture(scope="session")
def before_23() -> list[Closed]:
    """Protocol 22, `LedgerCloseMeta` V1, `TransactionMeta` V3."""
    return list(closed_ledgers(BEFORE_23))


@pytest.fixture(scope="session")
def backfilled() -> list[Closed]:
    """Protocol 22, `LedgerCloseMeta` V1, `TransactionMeta` V4 with unified events."""
    return list(closed_ledgers(BACKFILLED))


@pytest.fixture(scope="session")
def silent() -> list[Closed]:
    """Protocol 23 from a core that emits no classic events."""
    return list(closed_ledgers(SILENT))


@pytest.fixture(params=["modern", "before_23", "backfilled", "silent"], scope="session")
def every(request: pytest.FixtureRequest) -> list[Closed]:
    """Each of them in turn."""
    ledgers: list[Closed] = request.getfixturevalue(request.param)
    return ledgers
