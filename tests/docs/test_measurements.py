"""docs/guides/choosing-a-runtime.md: its numbers are those of bench/results."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs/guides/choosing-a-runtime.md").read_text()
NEAR = 1.5
"""By what factor a new measurement may differ before the page has to say another number."""


@pytest.mark.parametrize(
    ("shown", "value", "case", "series"),
    [
        ("1,430,000 messages/s", 1_430_000, "native", "pass through"),
        ("419,000 messages/s", 419_000, "native", "change payload"),
        ("160,000 messages/s", 160_000, "grpc", "Python plugin"),
        ("346,000 messages/s", 346_000, "grpc", "Go plugin"),
        ("487,000 messages/s", 487_000, "wasm", "Rust guest"),
        ("210 us", 210, "latency", "one stage, p50"),
        ("799 us", 799, "grpc", "one hop, p50"),
        ("282 us", 282, "wasm", "one hop, p50"),
        ("1.3 us in C", 1.3, "wasm", "C, 1000 a batch"),
        ("1.7 us in Rust", 1.7, "wasm", "Rust, 1000 a batch"),
        ("6.3 us in Go", 6.3, "wasm", "Go, 1000 a batch"),
        ("29 us in Python", 29, "wasm", "Python, 1000 a batch"),
        ("214 to", 214, "wasm", "C, 1 a batch"),
        ("491 us", 491, "wasm", "Python, 1 a batch"),
    ],
)
def test_numbers_are_measured(shown: str, value: float, case: str, series: str) -> None:
    """Each number of the page is near the median of its series as it is committed."""
    results = json.loads((ROOT / f"bench/results/{case}.json").read_text())
    median = results["series"][series]["median"]

    assert shown in PAGE
    assert 1 / NEAR < median / value < NEAR, median
