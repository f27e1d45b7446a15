"""What a generated lake can be, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cdp_pipeline.connectors.stellar.generate import LakeSpec, LakeSpecInvalid


@pytest.mark.parametrize(
    "wrong",
    [
        {"ledgers": 0},
        {"first_ledger": 1},
        {"ledgers": 3, "first_ledger": 0xFFFFFFFE},
        {"meta_version": 0},
        {"meta_version": 3},
        {"meta_version": 1, "protocol_version": 23},
        {"meta_version": 2, "protocol_version": 22},
        {"transactions_per_ledger": -1},
        {"transactions_per_ledger": 10_001},
        {"failed_ratio": 1.1},
        {"empty_ratio": -0.1},
        {"network_passphrase": ""},
        {"seconds_per_ledger": 0},
        {"start_time": 0},
        {"ledgers_per_file": 0},
        {"files_per_partition": -1},
    ],
)
def test_refuses(wrong: dict[str, Any]) -> None:
    """A value out of range is refused by name, with what would do."""
    name = next(iter(wrong))
    with pytest.raises(LakeSpecInvalid) as caught:
        LakeSpec(**{"ledgers": 5, **wrong})
    culprit = "protocol_version" if "protocol_version" in wrong else name
    assert f"`{culprit}`" in caught.value.message
    assert culprit in caught.value.hint


def test_defaults_follow_the_network() -> None:
    """Version 2 means protocol 23 with unified events; version 1 means 22 without."""
    modern, before = LakeSpec(ledgers=1), LakeSpec(ledgers=1, meta_version=1)
    assert (23, True) == (modern.protocol, modern.has_unified_events)
    assert (22, False) == (before.protocol, before.has_unified_events)


@pytest.mark.parametrize(
    ("first", "ledgers", "size", "expected"),
    [
        (2, 10, 1, (2, 11)),
        (2, 10, 5, (2, 14)),
        (7, 1, 5, (5, 9)),
        (2, 1, 64, (2, 63)),
        (0xFFFFFFFE, 2, 64, (0xFFFFFFC0, 0xFFFFFFFF)),
    ],
)
def test_whole_files(first: int, ledgers: int, size: int, expected: tuple[int, int]) -> None:
    """The range widens to the boundaries of its files, but never below ledger 2."""
    spec = LakeSpec(first_ledger=first, ledgers=ledgers, ledgers_per_file=size).whole_files()
    assert expected == (spec.first_ledger, spec.last_ledger)
